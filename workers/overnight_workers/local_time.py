"""Local times in named zones, by the rules of the tzdata wheel: the machine's may be older, PostgreSQL has its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata, resources
from zoneinfo import ZoneInfo


@cache
def time_zone(name: str) -> ZoneInfo:
    """A named zone, by the rules of the tzdata wheel. Raises ValueError, with what to write instead."""
    parts = name.split("/")
    try:
        if not all(re.fullmatch(r"[A-Za-z0-9_+-]+", part) for part in parts):
            raise ValueError("its characters")
        with resources.files("tzdata").joinpath("zoneinfo", *parts).open("rb") as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError) as error:
        raise ValueError(f"there is no time zone {name!r}: write one such as America/Los_Angeles, or UTC") from error


def first_instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local time: the first of two, and of one that is left out the instant of the change."""
    instant = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None) == local:
        return instant
    # left out: with the offset of before the change it is as much after the change as it is after its gap's beginning
    before = local.replace(tzinfo=zone, fold=0).utcoffset()
    after = local.replace(tzinfo=zone, fold=1).utcoffset()
    assert before is not None
    assert after is not None
    low, high = instant - abs(after - before), instant
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(microsecond=0)


def rules_version() -> str:
    """The version of the rules, such as 2026.6."""
    return metadata.version("tzdata")
