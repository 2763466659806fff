"""The submit window: the hours of a day, in a named zone, at which a lane's batches are submitted.

Reckoned in local time by the rules of the tzdata wheel, and not by those of the machine, which may be older: on the
night of a clock change a window is an hour shorter or longer, and is opened and closed once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from overnight_workers.local_time import first_instant, time_zone

_WRITTEN: Final = re.compile(r"(\d\d):(\d\d)\s*-\s*(\d\d):(\d\d)\s+(\S+)")
_EXAMPLE: Final = "'22:00-06:00 America/Los_Angeles'"


@dataclass(frozen=True, slots=True)
class SubmitWindow:
    """From one local time to another, over midnight where the second is earlier."""

    opens: time
    closes: time
    zone: str

    def __str__(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} {self.zone}"

    def opens_in_s(self, now: datetime) -> float:
        """Seconds until it is open; 0 while it is."""
        for days in (-1, 0, 1, 2):
            begins, ends = self._of_day(now, days)
            if now < ends:
                return max((begins - now).total_seconds(), 0.0)
        raise AssertionError("a window opens every day")

    def _of_day(self, now: datetime, days: int) -> tuple[datetime, datetime]:
        """When it opens on the day so many days from today, there, and when that one closes; in UTC."""
        zone = time_zone(self.zone)
        day = now.astimezone(zone).date() + timedelta(days=days)
        last = day if self.opens < self.closes else day + timedelta(days=1)
        return first_instant(datetime.combine(day, self.opens), zone), first_instant(
            datetime.combine(last, self.closes), zone
        )


def read_window(text: object) -> SubmitWindow:
    """A window as it is written in a lane. Raises ValueError, with what to write instead."""
    written = _WRITTEN.fullmatch(text.strip()) if isinstance(text, str) else None
    if written is None:
        raise ValueError(f"{text!r} is no window: write two times and a time zone, such as {_EXAMPLE}")
    try:
        opens, closes = (time(int(written[n]), int(written[n + 1])) for n in (1, 3))
    except ValueError as error:
        raise ValueError(f"{text!r} is no window: {error}") from error
    if opens == closes:
        raise ValueError(f"{text!r} is open all day or never: leave it out, or write two different times")
    _ = time_zone(written[5])
    return SubmitWindow(opens, closes, written[5])
