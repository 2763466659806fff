"""Start: whatever a schedule wants now begins a run, once, however many look at the same time."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import runs, schedules
from overnight_models.ledger.catalogs.schedules import Schedule
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.runs.taken import Wish
from overnight_workers.catalogs.schedule_times import Due, Times, next_moment, nominal
from overnight_workers.telemetry import logs

_A_SECOND: Final = timedelta(seconds=1)

log = logs.get(__name__)


def start_due() -> int:
    """Begin the runs whose time has come. Returns how many began."""
    started, after = 0, 0
    while True:
        with process.database().transaction() as connection:
            schedule = schedules.next_due(connection, after)
            if schedule is None:
                return started
            after = schedule.catalog_id
            try:
                with connection.begin_nested():
                    started += _start(connection, schedule)
            except Exception:  # of this schedule alone: the others go on, and the next sweep asks again
                log.exception("what is scheduled can't be begun", catalog=schedule.catalog)
        reach("a schedule was looked at")


def _start(connection: Connection, schedule: Schedule) -> bool:
    """Begin the run of the last time that is due, if it may begin. Those before it were missed, and are no runs."""
    times = Times(schedule.cron, schedule.zone)
    due, missed = times.latest(schedule.next_at - _A_SECOND, schedule.now)
    if due is None:  # the rules of its zone changed since the time was computed
        schedules.go_on(connection, schedule.catalog_id, _next(times, schedule.now))
        return False
    why_not = _why_not(connection, schedule, due)
    if why_not == _WAITS:
        return False
    if why_not is not None:
        schedules.pass_over(connection, schedule.catalog_id, nominal(due), why_not)
        log.warning("a schedule's time passed without a run", catalog=schedule.catalog, reason=why_not)
    if missed:
        log.warning("times of a schedule were missed", catalog=schedule.catalog, times=missed)
    schedules.go_on(connection, schedule.catalog_id, _next(times, schedule.now))
    return why_not is None


_WAITS: Final = "waits for the run before"


def _why_not(connection: Connection, schedule: Schedule, due: Due) -> str | None:
    """Begin the run; or why it didn't begin."""
    if schedule.skipped == nominal(due):
        schedules.skip(connection, schedule.catalog_id, None)
        return "a person wanted it to be skipped"
    unfinished = [run for run in runs.runs(connection, catalog=schedule.catalog, limit=1) if not run.is_over]
    if unfinished:
        if schedule.overlap == "wait":
            return _WAITS
        return f"run {unfinished[0].number} was not over ({unfinished[0].state})"
    text, wish = _declared(connection, schedule)
    begun = runs.begin(
        connection,
        schedule.catalog_id,
        path=schedule.path,
        declaration=text,
        wish=wish.dump(),
        nominal_at=nominal(due),
        finish_at=finish_at(schedule, due.at),
    )
    return None if begun is not None else "it has run already"


def _declared(connection: Connection, schedule: Schedule) -> tuple[str, Wish]:
    """The declaration's text and what is wished for. Where the file can't be used, the last text that could.

    The run is begun all the same, to be stopped: so it has a number, a reason and a report. Its source is looked at
    when it is planned, where a place that is away for a moment is no reason to stop.
    """
    from overnight_workers.catalogs.faults import in_a_line
    from overnight_workers.catalogs.reading import parse_catalog, text_of

    path = Path(schedule.path)
    try:
        declared = parse_catalog(text_of(path), path)
        if (renamed := why_not_its_own(declared, schedule)) is not None:
            raise PermanentError(renamed)
        return declared.text, Wish()
    except PermanentError as error:
        log.warning("a run begins to be stopped: its file can't be used", catalog=schedule.catalog, error=str(error))
        last = schedules.last_declaration(connection, schedule.catalog_id)
        return last, Wish(stop=f"{schedules.CANT_BE_USED}: {in_a_line(error)}")


def why_not_its_own(declared: Catalog, schedule: Schedule) -> str | None:
    """Why a file isn't that of a schedule any more; None when it is."""
    if declared.name == schedule.catalog:
        return None
    return (
        f"{declared.path}: the catalog's name is {declared.name} now, and under another name every row is new and paid"
        f' again: write `name = "{schedule.catalog}"`, or forget this schedule and keep that of {declared.name}'
    )


def finish_at(schedule: Schedule, began: datetime) -> datetime | None:
    """By when the run of a time should be done."""
    if schedule.finish_by is None:
        return None
    return next_moment(began, time.fromisoformat(schedule.finish_by), schedule.zone)


def _next(times: Times, now: datetime) -> datetime:
    """The next time. A line that has no more (a 29 February far away) is looked at again in a year."""
    dues = times.next(now, 1)
    return dues[0].at if dues else now + timedelta(days=365)
