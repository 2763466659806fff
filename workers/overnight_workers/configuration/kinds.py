"""Kinds of values: what each reads, and what it says of anything else. None shows a value that may be a secret."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar
from uuid import UUID

from overnight_models.embedded_urls import expanded
from overnight_models.errors import BadSettings
from overnight_models.quantities import NANO_PER_DOLLAR, bytes_in, seconds, spoken
from overnight_models.wire.inbox import InboxTable

T = TypeVar("T")

_SHOWN: Final = 40
"""Characters of a wrong value that a fault shows."""

Read = Callable[[object], T]
"""What makes a value of what was written. Raises ValueError."""


def shown(given: object) -> str:
    """A value that isn't secret, as a fault shows it."""
    if given is None or given == "":
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    text = repr(given)
    return _compound(given) or (text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


def kind_of(given: object) -> str:
    """What a value is that may be secret, such as a URL in the place of a table."""
    return _compound(given) or ("a text" if isinstance(given, str) else "a number")


def _compound(given: object) -> str:
    return "a table" if isinstance(given, Mapping) else "a list" if isinstance(given, list | tuple) else ""


def whole(at_least: int = 0, at_most: int | None = None) -> Read[int]:
    """A whole number."""

    def read(given: object) -> int:
        text = given.strip() if isinstance(given, str) else given
        if isinstance(text, str) and re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
            text = int(text)
        if isinstance(text, bool) or not isinstance(text, int):
            raise ValueError(f"it is a whole number, such as {max(at_least, 1)}, and not {shown(given)}")
        _within(text, at_least, at_most, f"{text:,}", "{:,}".format)
        return text

    return read


def inbox_table(given: object) -> str:
    """The name of an inbox table."""
    return str(InboxTable.read(text(given)))


def size(at_least: int = 1, at_most: int | None = None) -> Read[int]:
    """Bytes, with a unit."""

    def read(given: object) -> int:
        _within(number := bytes_in(given), at_least, at_most, shown(given), lambda bound: f"{bound:,} bytes")
        return number

    return read


def dollars(given: object) -> int:
    """A sum of dollars, in nano-dollars."""
    written = str(given).strip().removeprefix("$").replace(",", "")
    try:
        nano = Decimal("NaN" if isinstance(given, bool) else written) * NANO_PER_DOLLAR
    except InvalidOperation:
        nano = Decimal("NaN")
    if not nano.is_finite() or not 0 < nano <= 2**62 or nano != int(nano):
        raise ValueError(f"it is a sum of dollars, such as 0.25, in whole nano-dollars, and not {shown(given)}")
    return int(nano)


def duration(at_least: float = 0.0, at_most: float | None = None) -> Read[float]:
    """Seconds, written with a unit."""

    def read(given: object) -> float:
        _within(number := seconds(given), at_least, at_most, shown(given), spoken)
        return number

    return read


def _within(
    number: float, at_least: float, at_most: float | None, given: str, said: Callable[[float], str] = str
) -> None:
    if number < at_least:
        raise ValueError(f"{given} is too little: at least {said(at_least)}")
    if at_most is not None and number > at_most:
        raise ValueError(f"{given} is too much: at most {said(at_most)}")


def share(at_least: float, at_most: float) -> Read[float]:
    """A part of 1."""

    def read(given: object) -> float:
        try:
            number = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not at_least <= number <= at_most:
            raise ValueError(f"it is a number from {at_least} to {at_most}, and not {shown(given)}")
        return number

    return read


def number(at_least: float, at_most: float) -> Read[float]:
    """A number, whole or not."""

    def read(given: object) -> float:
        try:
            value = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            value = math.nan
        if not at_least <= value <= at_most:
            raise ValueError(f"it is a number from {at_least:g} to {at_most:,.0f}, and not {shown(given)}")
        return value

    return read


def one_of(*choices: str) -> Read[Any]:
    """One of some words."""

    def read(given: object) -> str:
        if given not in choices:
            raise ValueError(f"it is {_or(choices)}, and not {shown(given)}")
        return str(given)

    return read


def _or(choices: tuple[str, ...]) -> str:
    return " or ".join(filter(None, (", ".join(map(repr, choices[:-1])), repr(choices[-1]))))


def yes_or_no(given: object) -> bool:
    """True or false."""
    words = {"true": True, "false": False}
    meaning = words.get(given.strip().lower()) if isinstance(given, str) else given
    if not isinstance(meaning, bool):
        raise ValueError(f"it is true or false, and not {shown(given)}")
    return meaning


def text(given: object) -> str:
    """A text. What was given instead isn't shown: it may be a secret."""
    if not isinstance(given, str):
        raise ValueError("it is a text, in quotation marks")
    return given


def texts(given: object, example: str = "shop.*") -> tuple[str, ...]:
    """A list of texts. example: one of them, as a fault shows it."""
    if not isinstance(given, list | tuple) or not all(isinstance(element, str) for element in given):
        raise ValueError(f'it is a list of texts, such as ["{example}"]')
    return tuple(given)


def optional(read: Read[T]) -> Read[T | None]:
    """The same, or nothing."""
    return lambda given: None if given is None else read(given)


def uuid(given: object) -> UUID:
    """A UUID."""
    try:
        return UUID(str(given))
    except ValueError:
        raise ValueError(f"it is a UUID, as `overnight doctor` shows it, and not {shown(given)}") from None


def path_of(given: object) -> Path:
    """A path, which may begin with `~`."""
    try:
        return expanded(text(given))
    except BadSettings as error:
        raise ValueError(error.faults[0]) from None


def existing_file(given: object) -> Path:
    """A file that is there."""
    path = path_of(given)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path
