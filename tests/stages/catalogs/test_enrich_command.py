"""`overnight enrich` as a process: Ctrl-C detaches and says so, two at once pay once, its exit codes and its JSON."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from typer.testing import CliRunner

from overnight_workers.catalogs.runs.finding import find
from overnight_workers.cli import app
from tests.driving import read_command
from tests.stages.catalogs.conftest import Enriched, shop
from tests.waiting import wait_until

HEARS_CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from overnight_workers.command import main
main()
"""
"""Whoever starts tests in the background may have had it ignored."""


def enrich(catalog: Enriched, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, "enrich", str(catalog.directory / "shop.toml"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(catalog: Enriched, *commands: subprocess.Popen[str]) -> list[str]:
    """The stages go on until the commands have ended; what each has said, without its line breaks."""

    def are_over() -> bool:
        if catalog.service.ledger.fetch_all(
            "SELECT FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone')"
        ):
            catalog.service.clock.pauses_are_over()
            catalog.service.round()
        return all(command.poll() is not None for command in commands)

    wait_until(are_over, 60)
    return [words_of("".join(command.communicate())) for command in commands]


def words_of(said: str) -> str:
    return " ".join(said.split())


def test_ctrl_c_detaches_and_says_so_and_the_next_enrich_goes_on(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    catalog.write(shop(5))
    command = enrich(catalog)
    wait_until(lambda: len(catalog.service.ledger.states("item")) == 5)
    command.send_signal(signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "detached: the workers go on with shop-1." in words_of(said)
    assert "`overnight runs stop shop-1` ends it" in words_of(said)
    assert not find("shop-1").is_owned
    again = enrich(catalog)
    (said,) = ended(catalog, again)
    assert (again.returncode, "shop-1: complete" in said) == (0, True), said
    assert "run shop-1 isn't over (sending): the workers go on with it" in said
    assert (catalog.sent, len(catalog.published())) == (5, 5)


def test_two_enriches_at_once_are_one_run_paid_once(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(6))
    commands = [enrich(catalog), enrich(catalog)]
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
    command = enrich(catalog)
    (told,) = ended(catalog, command)
    assert (command.returncode, "shop-2: partial" in told) == (3, True), told
    catalog.service.api.faults_are_over()
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Praise {{ name }}")
    command = enrich(catalog, "--json")
    out, said = command.communicate(timeout=60)
    assert (command.returncode, json.loads(out)["state"]) == (1, "asking"), said
    assert read_command(app, "runs", "approve", "shop-4").strip() == "run shop-4 goes on"
    assert read_command(app, "runs", "stop", "shop-4").strip() == "run shop-4 is being stopped"
    assert catalog.finish(find("shop-4")).state == "stopped"
    for words in (["approve", "shop-4"], ["stop", "shop-4"], ["show", "shop-9"]):
        refused = CliRunner().invoke(app, ["runs", *words])
        assert refused.exit_code == 1, words
    listed = [json.loads(line) for line in read_command(app, "runs", "--json").splitlines()]
    assert [run["state"] for run in listed] == ["stopped", "complete", "partial", "complete"]
