"""Runs that can't go on here: what stops before it costs, what waits and says for what; others are never stalled."""

from __future__ import annotations

import orjson
import pytest

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.operators.actions import By
from overnight_workers.catalogs import steering
from overnight_workers.catalogs.runs import advancing
from overnight_workers.catalogs.runs.reporting import report_of
from overnight_workers.catalogs.task import advance_runs
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.process import database, redis_client
from overnight_workers.settings import settings
from tests.stages.catalogs.conftest import Enriched, shop
from tests.stages.encryption.keys import new_key, write


def work(catalog: Enriched, run: Run) -> Run:
    """What the workers do about a run that nobody has, until it is over."""
    for _ in range(30):
        advance_runs()
        run = advancing.read(run.id)
        if run.is_over:
            return run
        catalog.service.clock.pauses_are_over()
        catalog.service.round()
    raise AssertionError(f"the workers don't end {run}")


def test_a_sink_that_can_not_be_written_stops_the_run_before_anything_is_sent(catalog: Enriched) -> None:
    catalog.declare(sink="/proc/nowhere/out.csv")
    catalog.write(shop(5))
    with pytest.raises(PermanentError, match="can't be written"):
        catalog.plan()
    run = catalog.run()
    assert (run.state, catalog.sent) == ("stopped", 0)
    assert "the sink /proc/nowhere/out.csv can't be written: " in str(run.reason)


def test_a_detached_run_is_finished_by_the_workers_and_paid_once(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(6))
    run = work(catalog, catalog.begin())
    assert (run.state, catalog.sent, len(catalog.published())) == ("complete", 6, 6)
    assert not run.is_owned


def test_a_worker_without_what_the_declaration_names_waits_says_so_and_goes_on_later(catalog: Enriched) -> None:
    catalog.write(shop(3))
    run = catalog.begin()
    (catalog.directory / "answer.json").rename(catalog.directory / "elsewhere.json")
    assert "waits" in advance_runs()
    waiting = advancing.read(run.id)
    assert (waiting.is_over, waiting.is_owned) == (False, False)
    assert "waits: a worker" in str(waiting.reason)
    assert "answer.json can't be read" in str(waiting.reason)
    (catalog.directory / "elsewhere.json").rename(catalog.directory / "answer.json")
    done = work(catalog, run)
    assert (done.state, done.reason) == ("complete", None)


def test_a_run_whose_declaration_can_not_be_used_any_more_is_stopped_on_a_word(catalog: Enriched) -> None:
    catalog.declare(more='[report]\ntask = "shop.read_report"\nqueue = "shop.reports"')
    catalog.write(shop(3))
    run = catalog.begin()
    (catalog.directory / "answer.json").unlink()
    steering.stop(run.name, By("Ann"))
    advance_runs()
    stopped = advancing.read(run.id)
    assert stopped.state == "stopped"
    assert str(stopped.reason).startswith("Ann stopped it; its declaration can't be used any more: ")
    assert redis_client().llen("shop.reports") == 1, "its report goes where the declaration says"


def test_a_stop_takes_back_what_is_not_sent_and_leaves_a_report_without_the_declaration(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    catalog.write(shop(5))
    run = catalog.begin()
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    while advancing.read(run.id).enqueued_at is None:
        advancing.advance(taken)
    advancing.leave(taken)
    (catalog.directory / "answer.json").unlink()
    steering.stop(run.name, By("Ann"))
    advance_runs()
    assert catalog.service.ledger.states("item") == ["canceled"] * 5
    catalog.service.round()
    assert catalog.sent == 0
    report = report_of(advancing.read(run.id))
    assert (report["state"], report["sent"], report["model"]) == ("stopped", 5, "")
    assert orjson.loads((catalog.directory / "shop.report.json").read_bytes()) == report
    assert "can&#39;t be used any more" in (catalog.directory / "shop.report.html").read_text()


def test_a_variable_that_only_the_command_has_is_waited_for(catalog: Enriched, monkeypatch: pytest.MonkeyPatch) -> None:
    catalog.write(shop(3))
    file = catalog.directory / "shop.toml"
    table = 'table = "answers"\nurl_variable = "SHOP_DATABASE"'
    file.write_text(file.read_text().replace('path = "out.csv"', table))
    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///answers.db")
    run = catalog.begin()
    monkeypatch.delenv("SHOP_DATABASE")
    advance_runs()
    assert "waits: the environment variable SHOP_DATABASE isn't set" in str(advancing.read(run.id).reason)
    monkeypatch.setenv("SHOP_DATABASE", "sqlite:///answers.db")
    done = work(catalog, run)
    assert (done.state, done.reason, catalog.sent) == ("complete", None, 3)
    assert (catalog.directory / "answers.db").exists(), "SQLite's path begins from the catalog's file"


def test_one_broken_run_or_schedule_never_stalls_the_others(catalog: Enriched) -> None:
    catalog.write(shop(2))
    with database().transaction() as connection:
        names = ("broken", "badly scheduled")
        for name in names:
            connection.exec_driver_sql("INSERT INTO catalog (name) VALUES (%s)", (name,))
        rows = connection.exec_driver_sql("SELECT name, id FROM catalog")
        ids: dict[str, int] = {str(row[0]): int(row[1]) for row in rows}
        text = (catalog.directory / "shop.toml").read_text()
        path = str(catalog.directory / "shop.toml")
        broken = ledger.begin(connection, ids["broken"], path=path, declaration=text, wish="{no JSON")
        connection.exec_driver_sql(
            "INSERT INTO catalog_schedule (catalog_id, path, cron, zone, overlap, when_paused, next_at, kept_by)"
            " VALUES (%s, 'x.toml', 'no cron line', 'Nowhere/At all', 'skip', 'drop', now(), 'Ann')",
            (ids["badly scheduled"],),
        )
    assert work(catalog, catalog.begin()).state == "complete"
    assert broken is not None
    assert "waits: JSONDecodeError" in str(advancing.read(broken).reason)


def test_a_stopped_run_takes_what_is_not_sent_back_in_groups(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 0")
    catalog.write(shop(40))
    run = catalog.begin()
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    while advancing.read(run.id).enqueued_at is None:
        advancing.advance(taken)
    before = transactions(catalog)
    steering.stop(run.name, By("Ann"))
    advancing.advance(taken)
    assert transactions(catalog) - before < 20
    assert catalog.service.ledger.states("item") == ["canceled"] * 40
    assert catalog.sent == 0
    assert catalog.run().state == "complete"
    assert catalog.sent == 40


def transactions(catalog: Enriched) -> int:
    return int(
        catalog.service.ledger.fetch_all(
            "SELECT count(DISTINCT xmin::text) AS n FROM item WHERE state = 'canceled' OR state = 'waiting'"
        )[0]["n"]
    )


def test_answers_whose_encryption_key_is_away_wait_for_it_and_are_not_published_as_failed(catalog: Enriched) -> None:
    keys = catalog.directory / "keys"
    write(keys, new_key())
    catalog.service.configure(lane={"encrypt": "main"}, encryption={"main": {"keys": f"file:{keys}"}})
    catalog.write(shop(30))
    run = catalog.finish(catalog.begin(), until="publishing")
    own = keys.read_text().strip()
    write(keys, new_key())
    catalog.service.restart()
    advance_runs()
    waiting = advancing.read(run.id)
    assert (waiting.state, waiting.is_over) == ("publishing", False)
    assert "waits: " in str(waiting.reason)
    assert "encryption key" in str(waiting.reason)
    write(keys, own)
    catalog.service.restart()
    done = work(catalog, run)
    assert (done.state, done.reason, len(catalog.published()), catalog.sent) == ("complete", None, 30, 30)


def test_a_run_that_waits_or_asks_for_long_is_an_alarm_until_it_goes_on(catalog: Enriched) -> None:
    catalog.write(shop(2))
    run = catalog.begin()
    (catalog.directory / "answer.json").rename(catalog.directory / "elsewhere.json")
    advance_runs()
    assert alarms_of_runs() == [], "it waits for a moment"
    waits_for(16)
    with database().transaction() as connection:  # another thing is lacking by now
        connection.exec_driver_sql("UPDATE catalog_run SET reason = 'waits: something else'")
    advance_runs()
    (said,) = alarms_of_runs()
    assert said.startswith("Run shop-1 can't go on for 16 min: a worker")
    assert "answer.json can't be read" in said
    (catalog.directory / "elsewhere.json").rename(catalog.directory / "answer.json")
    assert work(catalog, run).state == "complete"
    assert alarms_of_runs() == []
    catalog.declare(prompt="Praise {{ name }}")
    assert catalog.run().state == "asking"
    assert alarms_of_runs() == [], "somebody may be reading its plan"
    waits_for(61)
    (said,) = alarms_of_runs()
    assert said.startswith("Run shop-2 asks and has no answer for 1 h 1 min: prompt changed: 2 rows, about $")


def waits_for(minutes: int) -> None:
    with database().transaction() as connection:
        connection.exec_driver_sql(f"UPDATE catalog_run SET changed_at = now() - interval '{minutes} minutes'")


def alarms_of_runs() -> list[str]:
    seen = take_snapshot(database()).alarms(settings())
    return [alarm.text for alarm in seen if alarm.kind == "run waiting"]
