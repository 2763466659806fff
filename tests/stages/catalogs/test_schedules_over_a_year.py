"""Schedules over both changes of the clocks and an outage: the sweep's own part, on a database whose clock is moved."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from overnight_models.ledger.catalogs import schedules
from overnight_models.ledger.rows import execute
from overnight_workers.catalogs.schedule_times import Times
from overnight_workers.catalogs.schedules.starting import start_due
from overnight_workers.cli import app
from overnight_workers.process import database
from tests.driving import Service, read_command
from tests.stages.catalogs.test_schedules import DECLARED, the_runs, the_schedule

NIGHTS: Final = [
    # when, what the wall shows at each run, and when that is in UTC
    ("30 2 * * *", "Europe/Berlin", "2027-03", ["27 02:30 = 27 01:30", "28 02:30 = 28 01:00", "29 02:30 = 29 00:30"]),
    ("30 2 * * *", "Europe/Berlin", "2027-10", ["30 02:30 = 30 00:30", "31 02:30 = 31 00:30"]),
    (
        "30 2 * * *",
        "America/New_York",
        "2027-03",
        ["13 02:30 = 13 07:30", "14 02:30 = 14 07:00", "15 02:30 = 15 06:30"],
    ),
    (
        "30 1 * * *",
        "America/New_York",
        "2027-11",
        ["06 01:30 = 06 05:30", "07 01:30 = 07 05:30", "08 01:30 = 08 06:30"],
    ),
    (
        "15 2 * * *",
        "Australia/Lord_Howe",
        "2027-10",
        ["02 02:15 = 01 15:45", "03 02:15 = 02 15:30", "04 02:15 = 03 15:15"],
    ),
    (
        "45 1 * * *",
        "Australia/Lord_Howe",
        "2027-04",
        ["03 01:45 = 02 14:45", "04 01:45 = 03 14:45", "05 01:45 = 04 15:15"],
    ),
    (
        "15 0 * * *",
        "America/Santiago",
        "2027-09",
        ["04 00:15 = 04 04:15", "05 00:15 = 05 04:00", "06 00:15 = 06 03:15"],
    ),
    (
        "15 23 * * *",
        "America/Santiago",
        "2027-04",
        ["02 23:15 = 03 02:15", "03 23:15 = 04 02:15", "04 23:15 = 05 03:15"],
    ),
]
LOOKED_AT: Final = [timedelta(minutes=minutes) for minutes in (-1, 0, 30, 60, 90)]
_CLOCK: Final = """
    CREATE SCHEMA moved;
    CREATE TABLE moved.clock (shows timestamptz NOT NULL);
    INSERT INTO moved.clock VALUES (pg_catalog.now());
    CREATE FUNCTION moved.now() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT shows FROM moved.clock';
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %%I SET search_path = public, moved, pg_catalog', current_database());
    END $$
"""
_CLOCK_AGAIN: Final = """
    DO $$ BEGIN EXECUTE format('ALTER DATABASE %%I RESET search_path', current_database()); END $$;
    DROP SCHEMA moved CASCADE;
"""


@pytest.fixture
def _clock(service: Service) -> Iterator[None]:
    """The database's clock shows from now on what `at` says."""
    with database().transaction() as connection:
        connection.exec_driver_sql(_CLOCK)
    service.restart()
    yield
    with database().transaction() as connection:
        connection.exec_driver_sql(_CLOCK_AGAIN)
    service.restart()


def at(moment: datetime) -> None:
    with database().transaction() as connection:
        execute(connection, "UPDATE moved.clock SET shows = :moment", moment=moment)


@contextmanager
def kept(directory: Path, cron: str, zone: str, since: datetime) -> Iterator[None]:
    (directory / "shop.csv").write_text("sku,name\n1,a red chair\n")
    text = DECLARED.format(more="").replace("0 22 * * *", cron).replace("America/Los_Angeles", zone)
    (directory / "shop.toml").write_text(text)
    read_command(app, "schedules", "keep", str(directory / "shop.toml"), "--yes")
    at(since)
    with database().transaction() as connection:
        schedules.go_on(connection, the_schedule().catalog_id, Times(cron, zone).next(since, 1)[0].at)
    yield
    read_command(app, "schedules", "forget", "shop")


def sweep_twice_at_once(moment: datetime) -> list[str]:
    """What two beats begin at a moment; each run is over at once."""
    at(moment)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: start_due(), range(2)))
    begun = [str(run.nominal_at) for run in the_runs() if not run.is_over]
    with database().transaction() as connection:
        execute(
            connection, "UPDATE catalog_run SET state = 'stopped', ended_at = pg_catalog.now() WHERE ended_at IS NULL"
        )
    return begun


@pytest.mark.usefixtures("_clock")
def test_each_night_of_a_change_has_one_run_at_its_time_and_so_has_a_day_of_outage(tmp_path: Path) -> None:
    for cron, zone, month, nights in NIGHTS:
        expected = [_read(night, month) for night in nights]
        with kept(tmp_path, cron, zone, expected[0][1] - timedelta(hours=2)):
            moments = [due + after for _, due in expected for after in LOOKED_AT]
            began = [(nominal, moment) for moment in moments for nominal in sweep_twice_at_once(moment)]
        assert began == expected, f"{zone}, {month}"
    noon = datetime(2027, 3, 27, 12, tzinfo=UTC)
    with kept(tmp_path, "30 */3 * * *", "Europe/Berlin", noon):
        assert sweep_twice_at_once(noon + timedelta(hours=1)) == []
        assert sweep_twice_at_once(noon + timedelta(hours=25)) == ["2027-03-28T12:30"]
        assert sweep_twice_at_once(noon + timedelta(hours=25.4)) == []


def _read(night: str, month: str) -> tuple[str, datetime]:
    nominal, _, moment = night.partition(" = ")
    local, utc = (f"{month}-{shown.replace(' ', 'T')}" for shown in (nominal, moment))
    return local, datetime.fromisoformat(f"{utc}+00:00")
