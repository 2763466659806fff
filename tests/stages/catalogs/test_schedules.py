"""A schedule begins a run at its time, once, whatever was paused, missed, or looked at by many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from overnight_models.ledger.catalogs import runs, schedules
from overnight_models.ledger.catalogs.schedules import Schedule
from overnight_models.ledger.rows import execute
from overnight_models.states import CATALOG_RUN
from overnight_workers.catalogs import steering
from overnight_workers.catalogs.schedule_times import Due, Times, nominal
from overnight_workers.catalogs.schedules.starting import start_due
from overnight_workers.catalogs.task import advance_runs
from overnight_workers.cli import app
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.process import database, redis_client
from overnight_workers.settings import settings
from tests.driving import Service, read_command

DECLARED = """
key = "sku"
model = "claude-haiku-5-5"
max_tokens = 100
schedule = "0 22 * * *"
time_zone = "America/Los_Angeles"
finish_by = "06:00"
{more}

[source]
path = "shop.csv"

[prompt]
row = "Describe {{{{ name }}}}."

[sink]
path = "answers.jsonl"
"""
TIMES = Times("0 22 * * *", "America/Los_Angeles")


@pytest.fixture
def kept(service: Service, tmp_path: Path) -> Schedule:
    return keep(tmp_path)


def keep(directory: Path, more: str = "") -> Schedule:
    (directory / "shop.csv").write_text("sku,name\n1,a red chair\n")
    (directory / "shop.toml").write_text(DECLARED.format(more=more))
    read_command(app, "schedules", "keep", str(directory / "shop.toml"), "--yes")
    return the_schedule()


def the_schedule() -> Schedule:
    with database().transaction() as connection:
        (schedule,) = schedules.schedules(connection, "shop")
    return schedule


def past(days: int) -> list[Due]:
    """The times of so many last days, the oldest first."""
    now = datetime.now(UTC)
    return [due for due in TIMES.next(now - timedelta(days=days), days + 1) if due.at <= now]


def becomes_due(schedule: Schedule, due: Due) -> None:
    with database().transaction() as connection:
        schedules.go_on(connection, schedule.catalog_id, due.at)


def the_runs() -> list[runs.Run]:
    with database().transaction() as connection:
        return runs.runs(connection, catalog="shop")


def the_last_times(schedule: Schedule) -> list[schedules.Time]:
    with database().transaction() as connection:
        return schedules.last_times(connection, schedule.catalog_id, 10)


def stop(run: runs.Run) -> None:
    with database().transaction() as connection:
        assert runs.claim(connection, run.id, 1, "a test")
        assert runs.move(connection, run.id, 1, CATALOG_RUN.stop, reason="enough")


def test_it_is_shown_in_words_with_its_next_times_before_it_is_kept(service: Service, tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text("sku,name\n1,a red chair\n")
    (tmp_path / "shop.toml").write_text(DECLARED.format(more=""))

    printed = read_command(app, "schedules", "keep", str(tmp_path / "shop.toml"), "--yes")

    assert "shop: At 22:00 every day (America/Los_Angeles)" in printed
    assert printed.count(" 22:00 (") == 6  # five, and the next one once more
    shown = read_command(app, "schedules")
    assert "done by 06:00" in shown
    assert shown.count("next") == 3


def test_its_time_begins_one_run_however_many_look(kept: Schedule) -> None:
    due = past(1)[-1]
    becomes_due(kept, due)

    with ThreadPoolExecutor(8) as pool:
        started = sum(pool.map(lambda _: start_due(), range(8)))

    assert started == 1
    (run,) = the_runs()
    assert (run.nominal_at, run.state) == (nominal(due), "planned")
    assert run.finish_at == due.at + timedelta(hours=8)
    assert the_schedule().next_at > datetime.now(UTC)
    assert start_due() == 0


def test_after_an_outage_there_is_one_run_and_not_five(kept: Schedule) -> None:
    dues = past(5)
    becomes_due(kept, dues[0])

    assert start_due() == 1

    assert [run.nominal_at for run in the_runs()] == [nominal(dues[-1])]


def test_a_time_that_had_its_run_has_no_second_one(kept: Schedule) -> None:
    due = past(1)[-1]
    becomes_due(kept, due)
    assert start_due() == 1
    stop(the_runs()[0])

    becomes_due(kept, due)

    assert start_due() == 0
    assert len(the_runs()) == 1


def test_a_time_within_the_run_before_is_skipped_and_said(kept: Schedule) -> None:
    before, due = past(2)[-2:]
    becomes_due(kept, before)
    with database().transaction() as connection:
        runs.begin(connection, kept.catalog_id, path=kept.path, declaration="", wish="{}")

    assert start_due() == 0

    (passed,) = the_last_times(kept)
    assert passed.nominal_at == nominal(due)
    assert passed.reason == "run 1 was not over (planned)"
    assert "no run: run 1 was not over" in read_command(app, "schedules")


def test_a_time_within_the_run_before_waits_where_that_is_wanted(service: Service, tmp_path: Path) -> None:
    kept = keep(tmp_path, more='overlap = "wait"')
    becomes_due(kept, past(1)[-1])
    with database().transaction() as connection:
        runs.begin(connection, kept.catalog_id, path=kept.path, declaration="", wish="{}")
    assert start_due() == 0

    stop(the_runs()[0])

    assert start_due() == 1
    assert the_last_times(kept)[0].number == 2


def test_a_paused_one_drops_what_falls_into_the_pause(kept: Schedule) -> None:
    assert "are dropped" in read_command(app, "schedules", "pause", "shop", "--why", "a sale")
    becomes_due(kept, past(1)[-1])

    assert start_due() == 0
    shown = read_command(app, "schedules")
    assert "a sale; times until then are dropped" in shown
    assert shown.count("when it is resumed by then") == 3
    read_command(app, "schedules", "resume", "shop")

    assert start_due() == 0
    assert the_runs() == []


def test_a_paused_one_runs_afterwards_where_that_is_wanted(service: Service, tmp_path: Path) -> None:
    kept = keep(tmp_path, more='when_paused = "queue"')
    read_command(app, "schedules", "pause", "shop")
    dues = past(3)
    becomes_due(kept, dues[0])
    assert start_due() == 0

    assert "now, for the last time" in read_command(app, "schedules", "resume", "shop")

    assert start_due() == 1
    assert the_runs()[0].nominal_at == nominal(dues[-1])


def test_a_person_leaves_one_time_out(kept: Schedule, tmp_path: Path) -> None:
    due = past(1)[-1]
    with database().transaction() as connection:
        schedules.skip(connection, kept.catalog_id, nominal(due))
    becomes_due(kept, due)

    assert start_due() == 0

    assert the_last_times(kept)[0].reason == "a person wanted it to be skipped"
    assert the_schedule().skipped is None
    assert "is left out" in read_command(app, "schedules", "skip", "shop")
    assert ", left out" in read_command(app, "schedules")
    kept_again = read_command(app, "schedules", "keep", str(tmp_path / "shop.toml"), "--yes")
    assert "the night that was to be left out isn't any more: overnight schedules skip shop" in kept_again
    assert ", left out" not in read_command(app, "schedules")


def test_a_time_says_its_day_in_utc_where_that_is_another() -> None:
    (due,) = steering.times("0 22 * * *", "America/New_York").next(datetime(2026, 12, 1, 12, tzinfo=UTC), 1)
    assert steering.moment(due) == "Tue 2026-12-01 22:00 (Wed 03:00 UTC)"
    (due,) = steering.times("0 22 * * *", "Europe/Berlin").next(datetime(2026, 12, 1, 12, tzinfo=UTC), 1)
    assert steering.moment(due) == "Tue 2026-12-01 22:00 (21:00 UTC)"


def test_a_file_that_is_broken_is_said_and_keeps_no_other_night_from_running(kept: Schedule, tmp_path: Path) -> None:
    text = (tmp_path / "shop.toml").read_text()
    (tmp_path / "shop.toml").write_text(text.replace("max_tokens", "max_token"))
    before, due = past(2)[-2:]
    becomes_due(kept, before)
    advance_runs()
    (time,) = the_last_times(kept)
    assert (time.number, time.state) == (1, "stopped")
    assert "its file can't be used" in (time.reason or "")
    assert "did you mean max_tokens?" in (time.reason or "")
    assert "\n" not in (time.reason or ""), "lists have one line for it"
    listed = " ".join(read_command(app, "schedules").split())  # wrapped where it is long
    assert f"its runs stop before anything is sent: {tmp_path}/shop.toml:1: max_tokens: it has to be said; " in listed

    (tmp_path / "shop.toml").write_text(text)
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET nominal_at = :at", at=nominal(before))
    becomes_due(kept, due)

    assert start_due() == 1


def test_a_file_whose_catalog_has_another_name_pays_for_nothing_again(kept: Schedule, tmp_path: Path) -> None:
    file = tmp_path / "shop.toml"
    file.write_text('name = "shoes"\n' + file.read_text())
    becomes_due(kept, past(1)[-1])
    advance_runs()
    (run,) = the_runs()
    assert (run.name, run.state) == ("shop-1", "stopped")
    assert "the catalog's name is shoes now" in str(run.reason)
    listed = " ".join(read_command(app, "schedules").split())
    assert "its runs stop before anything is sent" in listed
    assert 'write `name = "shop"`' in listed


def test_a_file_that_is_gone_is_a_stopped_run_with_a_report_that_goes_to_the_callback_last_declared(
    service: Service, tmp_path: Path
) -> None:
    kept = keep(tmp_path, more='report = {task = "shop.read_report", queue = "shop.reports"}')
    (tmp_path / "shop.toml").unlink()
    becomes_due(kept, past(1)[-1])

    advance_runs()

    (run,) = the_runs()
    assert run.state == "stopped"
    assert f"its file can't be used: {tmp_path / 'shop.toml'}" in str(run.reason).replace(" has faults:", "")
    assert "No such file" in read_command(app, "schedules")
    (message,) = redis_client().lrange("shop.reports", 0, -1)
    ((report,), _, _) = orjson.loads(orjson.loads(message)["body"])
    assert (report["run"], report["state"], report["reason"], report["sent"]) == ("shop-1", "stopped", run.reason, 0)


def test_a_source_without_a_column_of_the_prompt_stops_its_run_and_names_the_column(
    kept: Schedule, tmp_path: Path
) -> None:
    (tmp_path / "shop.csv").write_text("sku,nmae\n1,a red chair\n")
    becomes_due(kept, past(1)[-1])

    advance_runs()

    (run,) = the_runs()
    assert (run.state, run.reason) == ("stopped", "the source has no column 'name': did you mean nmae?")


def test_a_schedule_that_its_file_says_otherwise_is_told(kept: Schedule, tmp_path: Path) -> None:
    text = (tmp_path / "shop.toml").read_text()
    (tmp_path / "shop.toml").write_text(text.replace("0 22", "0 23"))

    assert "its file says otherwise now: overnight schedules keep" in read_command(app, "schedules")
    lines = text.splitlines()
    (tmp_path / "shop.toml").write_text(
        "\n".join(line for line in lines if not line.startswith(("schedule", "finish_by")))
    )
    assert "its file has no schedule any more: overnight schedules forget shop" in read_command(app, "schedules")
    read_command(app, "schedules", "forget", "shop")
    assert "shop" not in read_command(app, "schedules")


_BY_HAND = """
    INSERT INTO catalog_run (catalog_id, number, state, path, declaration, wish, ended_at)
    SELECT catalog_id, 3, 'complete', path, declaration, wish, now() FROM catalog_run WHERE number = 2
"""


def neglected() -> list[str]:
    seen = take_snapshot(database()).alarms(settings())
    return [alarm.text for alarm in seen if alarm.kind == "catalog neglected"]


def test_a_time_whose_run_asks_or_stopped_by_itself_is_an_alarm_until_a_run_goes_on(
    kept: Schedule, tmp_path: Path
) -> None:
    first, second = past(2)[-2:]
    (tmp_path / "shop.toml").rename(tmp_path / "elsewhere.toml")
    becomes_due(kept, second)
    advance_runs()
    assert neglected() == [f"Catalog shop, {nominal(second)}: run shop-1 stopped, since its file can't be used."]
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET nominal_at = :at", at=nominal(first))
    (tmp_path / "elsewhere.toml").rename(tmp_path / "shop.toml")
    becomes_due(kept, second)
    start_due()
    assert neglected() == [], "its run goes on"
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET state = 'asking' WHERE number = 2")
    assert neglected() == [
        f"Catalog shop, {nominal(second)}: run shop-2 asks, and sends nothing before somebody answers."
    ]
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET state = 'stopped', ended_at = now() WHERE number = 2")
    assert neglected() == [f"Catalog shop, {nominal(second)}: run shop-2 stopped by itself."]
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET stop_wanted = 'ann'")
    assert neglected() == [], "a person stopped it"
    with database().transaction() as connection:
        execute(connection, "UPDATE catalog_run SET stop_wanted = NULL")
    read_command(app, "schedules", "pause", "shop")
    assert neglected() == [], "it is paused"
    read_command(app, "schedules", "resume", "shop")
    assert len(neglected()) == 1
    with database().transaction() as connection:
        execute(connection, _BY_HAND)
    assert neglected() == [], "a person has run it since"
