"""When a run will be done, and that it will miss its finish_by: said while it runs, not afterwards."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from overnight_models import routes
from overnight_models.ledger import rescue
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.rows import execute
from overnight_workers.catalogs.reading import read_catalog
from overnight_workers.catalogs.runs import advancing, lateness
from overnight_workers.catalogs.task import advance_runs
from overnight_workers.cli import app
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.process import database, names
from overnight_workers.settings import settings
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import read_command
from tests.stages.catalogs.conftest import Enriched, shop

SCHEDULED = 'schedule = "0 22 * * *"\ntime_zone = "Europe/Berlin"\nfinish_by = "06:00"\n'


def scheduled(catalog: Enriched, finish_in: timedelta) -> Run:
    """A run as a schedule begins it, which is at Anthropic."""
    catalog.write(shop(6))
    file = catalog.directory / "shop.toml"
    file.write_text(SCHEDULED + file.read_text())
    with database().transaction() as connection:
        run_id = ledger.begin(
            connection,
            names().catalog("shop"),
            path=str(file),
            declaration=read_catalog(file).text,
            wish="{}",
            nominal_at="2026-11-30T22:00",
            finish_at=datetime.now(UTC) + finish_in,
        )
    assert run_id is not None
    run = advancing.read(run_id)
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    while advancing.read(run.id).enqueued_at is None:
        advancing.advance(taken)
    advancing.leave(taken)
    pack()
    submit()
    return advancing.read(run.id)


def test_a_finish_by_that_will_be_missed_is_said_while_the_run_goes_on(catalog: Enriched) -> None:
    run = scheduled(catalog, timedelta(minutes=1))
    read_command(app, "schedules", "keep", str(catalog.directory / "shop.toml"), "--yes")
    for words in (["runs"], ["runs", "show", run.name], ["schedules"]):
        said = " ".join(read_command(app, *words).split())
        assert "will likely miss its finish_by, 20" in said, words
    expected = json.loads(read_command(app, "runs", "show", run.name, "--json"))["forecast"]
    assert (expected["rows"], expected["oldest_batch_s"] >= 0) == (6, True)
    assert expected["missed"].startswith("will likely miss")


def test_a_run_with_time_enough_says_by_when_it_is_done(catalog: Enriched) -> None:
    run = scheduled(catalog, timedelta(hours=20))
    said = " ".join(read_command(app, "runs", "show", run.name).split())
    assert "6 rows aren't back, the oldest batch for " in said
    assert "in 95 of 100 cases (assumed from public reports" in said
    assert "miss" not in said
    assert json.loads(read_command(app, "runs", "show", run.name, "--json"))["forecast"]["missed"] is None


def test_the_rest_behind_a_pilot_counts_and_a_run_that_is_over_has_no_forecast(catalog: Enriched) -> None:
    catalog.declare(more="[pilot]\nrows = 2")
    catalog.write(shop(8))
    run = catalog.begin()
    taken = advancing.take(run.id, "a test")
    assert taken is not None
    while advancing.read(run.id).enqueued_at is None:
        advancing.advance(taken)
    assert json.loads(read_command(app, "runs", "show", run.name, "--json"))["forecast"]["rows"] == 8
    catalog.finish(run)
    assert json.loads(read_command(app, "runs", "show", run.name, "--json"))["forecast"] is None


def late() -> list[str]:
    """What the alarm says of late runs."""
    seen = take_snapshot(database()).alarms(settings())
    return [alarm.text for alarm in seen if alarm.kind == "run late"]


def change(statement: str) -> None:
    with database().transaction() as connection:
        execute(connection, statement)


def test_a_finish_by_that_will_be_missed_is_an_alarm_before_it_is_over(catalog: Enriched) -> None:
    run = scheduled(catalog, timedelta(minutes=1))
    with database().transaction() as connection:
        assert routes.CATALOGS in rescue.stages_with_work(connection)
    advance_runs()
    (text,) = late()
    assert text.startswith("Run shop-1 will likely not be done by its finish_by, 20")
    assert " UTC: 6 rows aren't back, the oldest batch for " in text
    assert "run late" in read_command(app, "status", "--json")
    catalog.finish(run)
    assert late() == []


def test_a_look_is_taken_once_a_minute_and_what_it_shows_follows(catalog: Enriched) -> None:
    scheduled(catalog, timedelta(hours=20))
    lateness.look()
    assert late() == [], "there is time enough"
    change("UPDATE catalog_run SET finish_at = now() + interval '1 minute'")
    lateness.look()
    assert late() == [], "it was looked at less than a minute ago"
    change("UPDATE catalog_run SET late_looked_at = now() - interval '61 s'")
    lateness.look()
    assert len(late()) == 1
    change("UPDATE catalog_run SET finish_at = now() - interval '1 s', late_looked_at = NULL")
    lateness.look()
    (text,) = late()
    assert text.startswith("Run shop-1 isn't done, and its finish_by, 20")
    change("UPDATE catalog_run SET finish_at = now() + interval '1 day', late_looked_at = NULL")
    lateness.look()
    assert late() == []


def test_what_its_lane_buys_in_real_time_is_late_only_while_nobody_approves_it(catalog: Enriched) -> None:
    scheduled(catalog, timedelta(minutes=1))
    catalog.service.configure(lane={"road": "by_deadline", "max_wait": "1h"})
    lateness.look()
    assert late() == []
    change("UPDATE catalog_run SET state = 'asking', late_looked_at = NULL")
    with database().transaction() as connection:
        assert routes.CATALOGS in rescue.stages_with_work(connection), "a run that asks has no other work"
    lateness.look()
    (text,) = late()
    assert "if it is approved now, done " in text
    with database().transaction() as connection:
        assert routes.CATALOGS not in rescue.stages_with_work(connection)
