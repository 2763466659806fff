"""Steering runs and schedules: what a person does to them, checked and recorded; by command and by Flower alike."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import runs, schedules
from overnight_models.ledger.catalogs.schedules import Schedule
from overnight_models.ledger.operators import actions
from overnight_models.ledger.operators.actions import By
from overnight_workers.catalogs.runs.finding import find
from overnight_workers.catalogs.schedule_times import Due, Times, nominal, read_times
from overnight_workers.process import database

_AN_INSTANT: Final = timedelta(microseconds=1)


def approve(name: str, by: By) -> str:
    """Let a run send what it has planned; returns what was done. Raises PermanentError when it doesn't ask."""
    run = find(name)
    with database().transaction() as connection:
        if not runs.approve(connection, run.id, by.actor):
            raise PermanentError(f"run {run.name} doesn't ask: it is {run.state}")
        actions.note(connection, "approve run", {"run": run.name}, by)
    return f"run {run.name} goes on"


def stop(name: str, by: By) -> str:
    """End a run; returns what was done. Raises PermanentError when it is over."""
    run = find(name)
    with database().transaction() as connection:
        if not runs.want_stop(connection, run.id, by.actor):
            raise PermanentError(f"run {run.name} is over: {run.state}")
        actions.note(connection, "stop run", {"run": run.name}, by)
    return f"run {run.name} is being stopped"


def pause(name: str, by: By) -> str:
    """Begin no run by a schedule until it is resumed; returns what was done."""
    schedule = known_schedule(name)
    with database().transaction() as connection:
        paused = schedules.pause(
            connection, schedule.catalog_id, who=by.actor, reason=by.reason or "paused by an operator"
        )
        if paused:
            actions.note(connection, "pause schedule", {"catalog": name}, by)
    return f"catalog {name} {'is paused' if paused else 'was paused already'}; {kept_while_paused(schedule)}"


def kept_while_paused(schedule: Schedule) -> str:
    """What becomes of the times at which it would have run."""
    kept = "are dropped" if schedule.when_paused == "drop" else "wait: the last of them runs when it goes on"
    return f"times until then {kept}"


def resume(name: str, by: By) -> str:
    """Go on with a paused schedule; returns what was done."""
    schedule = known_schedule(name)
    following = times(schedule.cron, schedule.zone).next(schedule.now, 1)[0]
    queued = schedule.when_paused == "queue" and schedule.next_at <= schedule.now
    with database().transaction() as connection:
        resumed = schedules.resume(connection, schedule.catalog_id, schedule.next_at if queued else following.at)
        if resumed:
            actions.note(connection, "resume schedule", {"catalog": name}, by)
    if not resumed:
        return f"catalog {name} was not paused"
    if queued:
        return f"catalog {name} goes on; it runs now, for the last time that it missed"
    return f"catalog {name} goes on; {_when(known_schedule(name))}"


def skip(name: str, by: By, *, undo: bool = False) -> str:
    """Leave the next time out, or (undo) run it after all; returns what was done."""
    schedule = known_schedule(name)
    (due,) = times(schedule.cron, schedule.zone).next(_since(schedule), 1)
    with database().transaction() as connection:
        schedules.skip(connection, schedule.catalog_id, None if undo else nominal(due))
        actions.note(connection, "run after all" if undo else "skip", {"catalog": name, "time": nominal(due)}, by)
    return f"catalog {name}: {_when(known_schedule(name))}"


def forget(name: str, by: By) -> str:
    """Let a catalog run by itself no more; returns what was done."""
    schedule = known_schedule(name)
    with database().transaction() as connection:
        forgotten = schedules.forget(connection, schedule.catalog_id)
        if forgotten:
            actions.note(connection, "forget schedule", {"catalog": name}, by)
    return f"catalog {name} {'has no schedule any more' if forgotten else 'had none any more'}"


class Coming(NamedTuple):
    """When a schedule runs next."""

    at: datetime
    left_out: Due | None
    """The time before it that a person has left out."""


def coming(schedule: Schedule) -> Coming:
    """When a schedule runs next, were it not paused. Raises PermanentError for a zone or a line that can't be read."""
    due, after = times(schedule.cron, schedule.zone).next(_since(schedule), 2)
    if nominal(due) == schedule.skipped:
        return Coming(after.at, due)
    return Coming(schedule.next_at if schedule.paused_at is None else due.at, None)


def _since(schedule: Schedule) -> datetime:
    """After which instant its next time comes: what is due already, or falls into a pause, isn't left out any more."""
    if schedule.paused_at is not None or schedule.next_at <= schedule.now:
        return schedule.now
    return schedule.next_at - _AN_INSTANT


def _when(schedule: Schedule) -> str:
    at, left_out = coming(schedule)
    (due,) = times(schedule.cron, schedule.zone).next(at - _AN_INSTANT, 1)
    left = "" if left_out is None else f"{moment(left_out)} is left out; "
    paused = "" if schedule.paused_at is None else ", when it is resumed by then"
    return f"{left}it runs next on {moment(due)}{paused}"


def known_schedule(name: str) -> Schedule:
    """A catalog's schedule. Raises PermanentError, with the names that there are."""
    with database().transaction() as connection:
        kept = schedules.schedules(connection, name)
        known = [schedule.catalog for schedule in schedules.schedules(connection)]
    if not kept:
        raise PermanentError(f"catalog {name!r} has no schedule; these have one: {', '.join(known) or 'none'}")
    return kept[0]


def times(cron: str, zone: str) -> Times:
    """The times of a line in a zone. Raises PermanentError for one that can't be read."""
    try:
        return read_times(cron, zone)
    except ValueError as error:
        raise PermanentError(str(error)) from error


def moment(due: Due) -> str:
    """A time by the schedule's clock, and in UTC: with its day where it's another one there."""
    in_utc = f"{due.at:%H:%M}" if due.at.date() == due.nominal.date() else f"{due.at:%a %H:%M}"
    return f"{due.nominal:%a %Y-%m-%d %H:%M} ({in_utc} UTC)"
