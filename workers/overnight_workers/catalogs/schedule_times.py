"""When a schedule runs: a cron line read on the wall clock of a named zone, each nominal time once.

A wall clock has no holes and shows nothing twice, so cronsim is asked about local times without a zone, and each gets
its instant afterwards: the first of two on the night when an hour comes twice, and the instant of the change for a time
that is left out. A daily schedule runs on every day, once, and an hourly one once for every hour of the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Final

from overnight_workers.local_time import first_instant, time_zone

if TYPE_CHECKING:
    from cronsim import CronSim

_FIELDS: Final = 5
_A_DAY: Final = timedelta(days=1)
"""No zone's clock is further from its own after a change."""
_MISSED_AT_MOST: Final = 10_000
"""Times of an outage that are looked at; a minute's schedule reaches it after a week."""


@dataclass(frozen=True, slots=True)
class Due:
    """One time of a schedule."""

    nominal: datetime
    """What the wall's clock shows then, without a zone; a run is unique by it."""
    at: datetime
    """The instant, in UTC."""


@dataclass(frozen=True, slots=True)
class Times:
    """A cron line in a named zone."""

    cron: str
    zone: str

    def after(self, instant: datetime) -> Iterator[Due]:
        """The times later than an instant, in order; of several at one instant (left out by a change) the last.

        Ends where the line has no time within fifty years.
        """
        zone = time_zone(self.zone)
        waiting: Due | None = None
        for nominal in _simulated(self.cron, instant.astimezone(zone).replace(tzinfo=None) - _A_DAY):
            due = Due(nominal, first_instant(nominal, zone))
            if due.at <= instant:
                continue
            if waiting is not None and waiting.at < due.at:
                yield waiting
            waiting = due
        if waiting is not None:
            yield waiting

    def next(self, instant: datetime, count: int) -> list[Due]:
        """The next times after an instant, at most so many."""
        return list(islice(self.after(instant), count))

    def latest(self, since: datetime, now: datetime) -> tuple[Due | None, int]:
        """The last time that is due by now, later than `since`; and how many before it were missed."""
        latest, due_times = None, 0
        for due in islice(self.after(since), _MISSED_AT_MOST):
            if due.at > now:
                break
            latest, due_times = due, due_times + 1
        return latest, max(due_times - 1, 0)

    def words(self) -> str:
        """The line in English, as it is read here: libraries differ."""
        return f"{_simulated(self.cron, datetime(2026, 1, 1)).explain()} ({self.zone})"  # noqa: DTZ001


def nominal(due: Due) -> str:
    """What the schedule's clock shows, such as 2026-11-30T22:00."""
    return due.nominal.isoformat(timespec="minutes")


def read_times(cron: str, zone: str) -> Times:
    """A schedule as it is declared. Raises ValueError, with what to write instead."""
    from cronsim import CronSimError

    _ = time_zone(zone)
    if len(cron.split()) != _FIELDS:
        raise ValueError(
            f"{cron!r} has {len(cron.split())} fields: write five (minute, hour, day of the month, month, day of the"
            " week), such as '0 22 * * *'"
        )
    try:
        simulated = _simulated(cron, datetime(2026, 1, 1))  # noqa: DTZ001
    except CronSimError as error:
        raise ValueError(f"{cron!r} is no schedule: {str(error).lower()}; write it such as '0 22 * * *'") from error
    if next(simulated, None) is None:
        raise ValueError(f"{cron!r} never comes: no day of the calendar is so")
    return Times(" ".join(cron.split()), zone)


def next_moment(at: datetime, clock: time, zone: str) -> datetime:
    """The first instant after another at which a zone's clocks show a time, in UTC: the end of a night."""
    rules = time_zone(zone)
    day = at.astimezone(rules).date()
    for days in range(3):
        instant = first_instant(datetime.combine(day + timedelta(days=days), clock), rules)
        if instant > at:
            return instant
    raise AssertionError("a clock shows every time once a day")


def _simulated(cron: str, local: datetime) -> CronSim:
    from cronsim import CronSim

    return CronSim(cron, local)
