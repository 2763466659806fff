"""Moments: by when an answer is wanted (`deadline`), and from when on it is of no use (`give_up_at`).

On the wire a moment is a text: a date, a time and an offset from UTC, such as `2026-11-30T08:00:00+01:00`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from overnight_models.quantities import seconds

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?")
_EXAMPLES: Final = "'2026-11-30T08:00:00+01:00' or '2026-11-30T07:00:00Z'"
_LONGEST_S: Final = 366 * 86400.0


def read_moment(value: object) -> datetime:
    """A moment as it is on the wire. Raises ValueError, with what to write instead."""
    parts = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if parts is None:
        raise ValueError(f"{value!r} is no time: write a date, a time and an offset from UTC, such as {_EXAMPLES}")
    if parts["offset"] is None:
        raise ValueError(f"{value!r} has no offset from UTC, so it may be any of 24 hours: write {_EXAMPLES}")
    assert isinstance(value, str)
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is no time: {error}") from error


def moment_of(value: object, *, now: datetime) -> datetime:
    """A moment as a person or a program gives it: an aware datetime, a timedelta or "2h" from now on, or a text.

    Raises ValueError, with what to give instead.
    """
    try:
        if isinstance(value, timedelta):
            return now + value
        if isinstance(value, datetime):
            if value.utcoffset() is None:
                raise ValueError(
                    f"{value!r} is naive: it may be any of 24 hours. Give it a time zone, as datetime(…, tzinfo=UTC)"
                )
            return value.astimezone(UTC)
        if isinstance(value, str) and _MOMENT.fullmatch(value) is None:
            return now + timedelta(seconds=_seconds(value))
    except OverflowError as error:
        raise ValueError(f"{value!r} is further away than any calendar reaches") from error
    return read_moment(value)


def _seconds(text: str) -> float:
    try:
        return seconds(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither a duration nor a time: write '90s', '5m' or '2h', or a date, a time and an offset"
            f" from UTC, such as {_EXAMPLES}"
        ) from None


def moment_faults(item: Mapping[str, object]) -> list[str]:
    """What is wrong with an item's moments, one sentence each."""
    faults, read = [], {}
    for name in ("deadline", "give_up_at"):
        if item.get(name) is not None:
            try:
                read[name] = read_moment(item[name])
            except ValueError as error:
                faults.append(f"`{name}`: {error}")
    if len(read) == 2 and read["give_up_at"] < read["deadline"]:
        faults.append(
            "`give_up_at` is before `deadline`: from then on the answer would be of no use. Leave out one of them, or"
            " set it later"
        )
    return faults


def faults_of_now(moments: Mapping[str, datetime], *, now: datetime) -> list[str]:
    """What is wrong with moments when they are asked for now: they are over, or more than a year away."""
    faults = []
    for name, moment in moments.items():
        if moment <= now:
            faults.append(
                f"`{name}` is over: {moment.isoformat(timespec='seconds')}, and it is {now:%Y-%m-%dT%H:%M:%SZ}"
            )
        elif (moment - now).total_seconds() > _LONGEST_S:
            faults.append(f"`{name}` is more than a year away: {moment.isoformat(timespec='seconds')}")
    return faults
