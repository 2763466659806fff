"""`overnight enrich` as a process: Ctrl-C detaches and says so, two at once pay once, its exit codes and its JSON."""

from __future__ import annotations

import json
import signal
from itertools import count

from typer.testing import CliRunner

from overnight_workers.catalogs.runs.finding import find
from overnight_workers.cli import app
from tests.driving import read_command
from tests.forking import Program
from tests.stages.catalogs.conftest import Enriched, shop
from tests.waiting import wait_until


class Enriching(Program):
    """`overnight enrich` of a catalog."""

    number = count(1)

    def __init__(self, catalog: Enriched, *words: str) -> None:
        place = catalog.directory / f"said-{next(self.number)}"
        self.out, self.errors = place.with_suffix(".out"), place.with_suffix(".err")
        argv = ["overnight", "enrich", str(catalog.directory / "shop.toml"), *words]
        super().__init__(argv, self.out, errors=self.errors)

    def said(self) -> str:
        """Without its line breaks."""
        return " ".join((self.out.read_text() + self.errors.read_text()).split())


def ended(catalog: Enriched, *commands: Enriching) -> list[str]:
    """The stages go on until the commands have ended; what each has said."""

    def are_over() -> bool:
        if catalog.service.ledger.fetch_all(
            "SELECT FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone')"
        ):
            catalog.service.clock.pauses_are_over()
            catalog.service.round()
        return all(command.poll() is not None for command in commands)

    wait_until(are_over)
    return [command.said() for command in commands]


def test_ctrl_c_detaches_and_says_so_and_the_next_enrich_goes_on(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    catalog.write(shop(5))
    command = Enriching(catalog)
    wait_until(lambda: len(catalog.service.ledger.states("item")) == 5)
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == 130
    assert "detached: the workers go on with shop-1, and so does `overnight enrich`." in command.said()
    assert "`overnight runs stop shop-1` ends it" in command.said()
    assert not find("shop-1").is_owned
    again = Enriching(catalog)
    (said,) = ended(catalog, again)
    assert (again.returncode, "shop-1: complete" in said) == (0, True), said
    assert "run shop-1 isn't over (sending): the workers go on with it" in said
    assert "5 of 5 rows were to be sent" in said
    assert (catalog.sent, len(catalog.published())) == (5, 5)


def test_two_enriches_at_once_are_one_run_paid_once(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(6))
    commands = [Enriching(catalog), Enriching(catalog)]
    said = ended(catalog, *commands)
    assert [command.returncode for command in commands] == [0, 0], said
    assert sum("watching it; afterwards run `overnight enrich` again" in text for text in said) == 1
    assert all("shop-1: complete" in text for text in said)
    assert (catalog.sent, catalog.service.api.meter()["billed"]) == (6, 6)


def test_exit_codes_say_how_a_run_ended(catalog: Enriched) -> None:
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    catalog.service.api.fault("item", "expired", count=100)
    catalog.write(shop(3, A1={"maker": "Beta"}))
    command = Enriching(catalog)
    (told,) = ended(catalog, command)
    assert (command.returncode, "shop-2: partial" in told) == (3, True), told
    catalog.service.api.faults_are_over()
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Praise {{ name }}")
    command = Enriching(catalog, "--json")
    assert command.wait(60) == 1
    assert json.loads(command.out.read_text())["state"] == "asking", command.said()
    assert read_command(app, "runs", "approve", "shop-4").strip() == "run shop-4 goes on"
    assert read_command(app, "runs", "stop", "shop-4").strip() == "run shop-4 is being stopped"
    assert catalog.finish(find("shop-4")).state == "stopped"
    for words in (["approve", "shop-4"], ["stop", "shop-4"], ["show", "shop-9"]):
        refused = CliRunner().invoke(app, ["runs", *words])
        assert refused.exit_code == 1, words
    listed = [json.loads(line) for line in read_command(app, "runs", "--json").splitlines()]
    assert [run["state"] for run in listed] == ["stopped", "complete", "partial", "complete"]
