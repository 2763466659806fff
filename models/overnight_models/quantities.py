"""Durations and sizes with units: "5m", "1h30m", "200MB"; a bare number is a fault. What people read of them."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

NANO_PER_DOLLAR: Final = 1_000_000_000

_UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")


def seconds(text: object) -> float:
    """Seconds in a duration such as "5m", "90s", "1h30m" or "250ms".

    Raises ValueError when there is no unit or the text isn't a duration.
    """
    if isinstance(text, str):
        parts = _PART.findall(text.strip().lower())
        if parts and "".join(number + unit for number, unit in parts) == text.strip().lower().replace(" ", ""):
            return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)
    raise ValueError(f"{text!r} is not a duration: write a number and its unit, such as '90s', '5m' or '1h30m'")


_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb|kib|mib|gib|tib)", re.ASCII)
_UNIT_BYTES: Final = {
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)},
}


def bytes_in(text: object) -> int:
    """Bytes in a size such as "200MB" (MB is 1,000,000; MiB is 1,048,576).

    Raises ValueError when there is no unit or the text isn't a size.
    """
    parts = _SIZE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if parts is None:
        raise ValueError(f"{text!r} is not a size: write a number and its unit, such as '200MB'")
    return int(Decimal(parts[1]) * _UNIT_BYTES[parts[2]])


def several(n: int, noun: str, plural: str | None = None) -> str:
    """A count and its noun: "1 item", "2,000 items", "3 batches"."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def spoken(duration_s: float) -> str:
    """A duration as a person would say it: "0.4 s", "12 s", "3 min 20 s", "5 h 12 min", "2 d 3 h"."""
    if duration_s < 9.95:
        return f"{duration_s:.1f} s"
    whole = round(duration_s)
    for unit, unit_s, smaller, smaller_s in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= unit_s:
            rest = whole % unit_s // smaller_s
            return f"{whole // unit_s} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def about(duration_s: float) -> str:
    """A duration that isn't known exactly: "≈ 20 min", "≈ 3 h"."""
    step_s = coarse(duration_s)
    return f"≈ {spoken(round(duration_s / step_s) * step_s)}"


def coarse(duration_s: float) -> float:
    """What a duration that isn't known exactly is rounded to: a quarter of it at most."""
    return max((step_s for step_s in _STEPS_S if step_s <= duration_s / 4), default=_STEPS_S[0])


_STEPS_S: Final = (1, 5, 10, 60, 300, 600, 1800, 3600, 6 * 3600, 86400)


def money(nano: int) -> str:
    """Nano-dollars as dollars for a person: as many digits as the amount needs."""
    dollars = Decimal(nano).scaleb(-9)
    if nano == 0:
        return "$0"
    if nano < 0:
        return f"-{money(-nano)}"
    return (
        f"${dollars:,.2f}"
        if dollars >= 100
        else f"${dollars:,.4f}"
        if dollars >= Decimal("0.01")
        else f"${dollars:.6f}"
    )


def cents(nano: int) -> str:
    """As `money`, to the cent from a dollar on."""
    return f"${Decimal(nano).scaleb(-9):,.2f}" if nano >= 1_000_000_000 else money(nano)


def billed(nano: int, unpriced: int) -> str:
    """A sum of money, and how many answers aren't in it because their model has no price."""
    if not unpriced:
        return money(nano)
    return f"{money(nano)} + {unpriced:,} unknown" if nano else "unknown"
