"""When readers see answers, where they go, and what a run asks first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.operators.actions import By
from overnight_workers.catalogs import steering
from overnight_workers.catalogs.runs import advancing
from overnight_workers.catalogs.runs.beginning import UnderWay
from overnight_workers.cli import app
from overnight_workers.process import database
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import read_command
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.catalogs.test_enriching import reasons
from tests.waiting import wait_until


def seen_before_the_end(catalog: Enriched) -> int:
    """Rows that readers see while some of them are asked again."""
    catalog.service.api.fault("item", "invalid_output", count=2)
    run = catalog.begin()
    catalog.finish(run, until="retrying")
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    advancing.advance(taken)  # asks again
    advancing.advance(taken)  # waits
    seen = len(catalog.published()) if (catalog.directory / "out.csv").exists() else 0
    assert catalog.finish(run).state == "complete"
    assert len(catalog.published()) == 6
    return seen


@pytest.mark.parametrize(("publish", "seen"), [('"as_they_come"', 4), ('"complete"', 0), ("{valid = 0.5}", 0)])
def test_readers_see_half_a_night_only_where_they_ask_for_it(catalog: Enriched, publish: str, seen: int) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    file = catalog.directory / "shop.toml"
    file.write_text(f"publish = {publish}\n" + file.read_text())
    catalog.write(shop(6))
    assert seen_before_the_end(catalog) == seen


def test_while_nothing_comes_nothing_is_published_again(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    file = catalog.directory / "shop.toml"
    file.write_text('publish = "as_they_come"\n' + file.read_text())
    catalog.write(shop(3))
    catalog.service.api.fault("item", "invalid_output", count=1)
    run = catalog.finish(catalog.begin(), until="retrying")
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    advancing.advance(taken)  # asks again
    assert advancing.advance(taken).wait_s
    before = (catalog.directory / "out.csv").stat()
    assert advancing.advance(taken).wait_s
    assert (catalog.directory / "out.csv").stat().st_ino == before.st_ino, "it wasn't put there anew"
    advancing.leave(taken)
    assert catalog.finish(run).state == "complete"
    assert len(catalog.published()) == 3


def test_what_comes_while_others_are_waited_for_is_published(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    file = catalog.directory / "shop.toml"
    file.write_text('publish = "as_they_come"\n' + file.read_text())
    catalog.write(shop(3))
    catalog.service.api.fault("item", "invalid_output", count=2)
    run = catalog.finish(catalog.begin(), until="retrying")
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    advancing.advance(taken)  # asks two of them again
    assert advancing.advance(taken).wait_s
    assert len(catalog.published()) == 1
    catalog.service.api.fault("item", "errored", count=1)

    def another_has_come() -> bool:
        catalog.service.round()
        return catalog.service.ledger.states("item").count("succeeded") == 2

    wait_until(another_has_come)
    assert advancing.advance(taken).wait_s, "one of them is tried once more"
    assert len(catalog.published()) == 2
    advancing.leave(taken)
    assert catalog.finish(run).state == "complete"
    assert len(catalog.published()) == 3


def test_a_run_with_too_few_valid_answers_publishes_nothing_and_its_answers_come_for_nothing(
    catalog: Enriched,
) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    file = catalog.directory / "shop.toml"
    declared = file.read_text()
    file.write_text("publish = {valid = 0.99}\n" + declared)
    catalog.write(shop(10))
    catalog.service.api.fault("item", "refused", count=1)
    stopped = catalog.run()
    assert (stopped.state, catalog.sent) == ("stopped", 10)
    assert stopped.reason == "90.0% of its rows are valid, publish wants 99.0%: nothing was published"
    assert not (catalog.directory / "out.csv").exists()
    file.write_text("publish = {valid = 0.9}\n" + declared)
    assert catalog.run().state == "complete"
    assert (catalog.sent, len(catalog.published())) == (10, 10)


def test_each_row_goes_to_the_callbacks_queue_with_its_key(catalog: Enriched) -> None:
    catalog.service.configure(lane={"callbacks": ["shop.described"]})
    file = catalog.directory / "shop.toml"
    file.write_text(file.read_text().replace('path = "out.csv"', 'task = "shop.described"\nqueue = "shop"'))
    catalog.write(shop(3))
    run = catalog.run()
    assert run.state == "complete"
    deliver()
    outcomes: list[dict[str, Any]] = [outcome_of(message) for message in catalog.service.queue()]
    assert sorted(json.loads(outcome["trace_id"])[0] for outcome in outcomes) == ["A0", "A1", "A2"]
    assert all(outcome["ok"] and outcome["run"] == run.name for outcome in outcomes)
    assert reasons(catalog.plan()) == {"unchanged": 3}


def outcome_of(message: dict[str, Any]) -> dict[str, Any]:
    arguments = json.loads(message["body"])
    found: dict[str, Any] = arguments[0][0] if arguments[0] else arguments[1]["outcome"]
    return found


def test_rows_of_variants_are_asked_once_each_and_one_that_is_added_alone(catalog: Enriched) -> None:
    words = '{de = {language = "German"}, fr = {language = "French"}}'
    catalog.declare(prompt="Describe {{ name }} in {{ variant.language }}")
    file = catalog.directory / "shop.toml"
    declared = file.read_text()
    file.write_text(f"variants = {words}\n" + declared)
    catalog.write(shop(3))
    assert catalog.run().state == "complete"
    assert catalog.sent == 6
    assert sorted((row["sku"], row["variant"]) for row in catalog.published()) == [
        (f"A{at}", variant) for at in range(3) for variant in ("de", "fr")
    ]
    shown = read_command(app, "items", "--run", "shop-1")
    assert sorted(line.partition("  ")[0] for line in shown.splitlines()[1:7]) == [
        f"shop: A{at} ({variant})" for at in range(3) for variant in ("de", "fr")
    ]
    more = words.replace("}}", '}, it = {language = "Italian"}}')
    file.write_text(f'on_prompt_change = "all"\nvariants = {more}\n' + declared)
    assert reasons(catalog.plan()) == {"new": 3, "unchanged": 6}
    assert catalog.run(approved=True).state == "complete"
    assert (catalog.sent, len(catalog.published())) == (9, 9)


def test_many_changed_rows_ask_first_and_few_or_the_first_night_do_not(catalog: Enriched) -> None:
    catalog.write(shop(60))
    assert catalog.run().state == "complete"
    changed = {f"A{at}": {"maker": "Beta"} for at in range(25)}
    catalog.write(shop(60, **changed))
    asking = catalog.run()
    assert (asking.state, catalog.sent) == ("asking", 60)
    assert str(asking.reason).startswith("42% of the rows would be sent, ask_above is 20%: about $")
    steering.stop(asking.name, By("Ann"))
    assert catalog.finish(asking).state == "stopped"
    file = catalog.directory / "shop.toml"
    file.write_text('ask_above = "50%"\n' + file.read_text())
    assert catalog.run().state == "complete"
    assert catalog.sent == 85


def test_new_only_leaves_rows_with_their_older_prompt(catalog: Enriched) -> None:
    catalog.write(shop(4))
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Praise {{ name }} of {{ maker }}")
    file = catalog.directory / "shop.toml"
    file.write_text('on_prompt_change = "new_only"\n' + file.read_text())
    catalog.write(shop(5, A1={"maker": "Beta"}))
    assert reasons(catalog.plan()) == {"new": 1, "row changed": 1, "left with their older prompt": 3}
    assert catalog.run().state == "complete"
    assert catalog.sent == 6


def test_a_limit_and_a_where_send_only_those_rows_and_nothing_is_gone(catalog: Enriched) -> None:
    catalog.declare(gone='gone = "delete"')
    catalog.write(shop(10))
    first = catalog.plan(limit=3)
    assert (first["send"], first["rows"]) == (3, 10)
    assert catalog.run(limit=3).state == "complete"
    shown = " ".join(read_command(app, "runs", "show", "shop-1").split())
    assert "3 of 10 rows were to be sent; others are left out by --limit 3" in shown
    assert catalog.sent == 3
    plan = catalog.plan(where="sku IN ('A0', 'A1', 'A2', 'A3', 'A4')")
    assert plan["rows"] == 5
    assert plan["only"] == """--where "sku IN ('A0', 'A1', 'A2', 'A3', 'A4')\""""
    assert "gone from the source" not in reasons(plan)
    assert catalog.run(where="sku IN ('A0', 'A1', 'A2', 'A3', 'A4')").state == "complete"
    assert catalog.run().state == "complete"
    assert (catalog.sent, len(catalog.published())) == (10, 10)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("sku", "Could not convert string 'A"),
        ("CAST(sku AS INTEGER) > 3", "Could not convert string 'A"),
        ("true); DROP VIEW every_row; SELECT (1", "3 statements"),
        ("sku <> 'A1' ORDER BY sku LIMIT 1", "syntax error"),
    ],
)
def test_a_where_that_fails_with_a_row_or_is_no_expression_ends_its_run(
    catalog: Enriched, where: str, words: str
) -> None:
    catalog.write(shop(4))
    run = catalog.run(where=where)
    assert run.state == "stopped"
    assert words in str(run.reason)
    assert catalog.run(where="sku <> 'A1' -- not that").state == "complete"
    assert catalog.sent == 3


def test_a_source_that_changes_while_its_run_is_under_way_is_the_next_runs(catalog: Enriched) -> None:
    catalog.write(shop(6))
    run = catalog.begin()
    catalog.finish(run, until="sending")
    catalog.write({key: row for key, row in shop(6, A1={"maker": "Beta"}).items() if key != "A5"})
    done = catalog.finish(run)
    assert done.state == "partial"
    assert "2 rows changed or left the source meanwhile: the next run sends them" in str(done.reason)
    assert catalog.run().state == "complete"
    assert catalog.sent == 5


def test_two_runs_of_a_catalog_are_never_under_way_and_one_process_takes_the_steps(catalog: Enriched) -> None:
    catalog.write(shop(2))
    run = catalog.begin()
    with pytest.raises(UnderWay, match="run shop-1 isn't over"):
        catalog.begin()
    assert advancing.take(run.id, "one process") is not None
    other = catalog.service.other_process()
    with other.transaction() as connection:
        assert not ledger.claim(connection, run.id, other.owner(), "another process")
    with database().transaction() as connection:
        ledger.release(connection, run.id, database().owner())
    with other.transaction() as connection:
        assert ledger.claim(connection, run.id, other.owner(), "another process")
    assert advancing.take(run.id, "one process") is None
