"""Moments and waits as the API writes them, in its documents and in the headers of its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the API wants to be left alone, in seconds; None when it doesn't say, or not readably.

    `retry-after-ms` comes first; `retry-after` is seconds or a date, reckoned from the answer's own Date header.
    """
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            asked = float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
        if math.isfinite(asked) and asked >= 0:
            return asked
    until = _http_date(headers.get("retry-after"))
    return None if until is None else max(0.0, (until - (date_of(headers) or datetime.now(UTC))).total_seconds())


def moment_of(text: object) -> datetime:
    """A moment. Raises ValueError when it is none, or none that a batch can have."""
    moment = datetime.fromisoformat(str(text))
    return _plausible(moment)


def maybe_moment(text: object) -> datetime | None:
    """The same, and None for what is none."""
    try:
        return None if text is None else moment_of(text)
    except ValueError:
        return None


def _plausible(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    if not 2000 < aware.year < 2200:
        raise ValueError(f"no time of a batch: {moment}")
    return aware


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """The response's Date; None when there is none that can be read."""
    return _http_date(headers.get("date"))


def _http_date(text: str | None) -> datetime | None:
    """A date as a header has it, or in ISO 8601; in UTC when it names no zone. None when it can't be read."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return _plausible(read(text or ""))
        except (ValueError, TypeError, ArithmeticError, LookupError):
            continue
    return None


def ahead(date: datetime | None, database_now: datetime) -> timedelta:
    """How far the API's clock is ahead of the database's; none where its clock isn't known."""
    return timedelta() if date is None else date - database_now
