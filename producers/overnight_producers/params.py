"""Params as the SDK would send them: its objects become JSON, what is not given is left out, the rest is named.

A product passes what it has: `response.content` in a message, `NOT_GIVEN` for a parameter. The SDK isn't imported: it
isn't part of the base install.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

import orjson

from overnight_models.request.quoted import quoted

_PLAIN: Final = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_DEEPEST: Final = 200
_TOO_LONG_INT: Final = 10**4300
"""Python's own JSON reads no longer one."""
_LEFT_OUT: Final = object()


def as_sent(params: Mapping[str, object]) -> dict[str, object]:
    """The params as JSON has them. Raises ValueError, with the place of everything that isn't JSON."""
    try:
        written = orjson.dumps(params, option=_PLAIN)
    except TypeError:
        written = b"null"
    if b"null" not in written:
        return dict(params)  # plain JSON, as nearly all of them; a NaN would have been written as null
    reader = _Reader()
    sent = reader.read(params, "", 0)
    if reader.faults:
        raise ValueError("; ".join(reader.faults))
    assert isinstance(sent, dict), "a mapping is read as one"
    return sent


class _Reader:
    def __init__(self) -> None:
        self.faults: list[str] = []

    def read(self, value: object, at: str, depth: int) -> object:
        """A value as JSON has it; what can't be is a fault."""
        if depth > _DEEPEST:
            return self._fault(at, f"`params` may be nested {_DEEPEST} deep at most")
        if _is_left_out(value):
            return _LEFT_OUT
        if value is None or isinstance(value, (bool, int, float, str)):
            return self._scalar(value, at)
        if isinstance(value, Mapping):
            return self._mapping(value, at, depth)
        plain = _plain(value)
        if plain is not value:
            return self.read(plain, at, depth + 1)
        if isinstance(value, Iterable) and not isinstance(value, (bytes, bytearray, memoryview, set, frozenset)):
            parts = [self.read(element, f"{at}.{n}".lstrip("."), depth + 1) for n, element in enumerate(value)]
            return [part for part in parts if part is not _LEFT_OUT]
        return self._fault(at, f"a {type(value).__name__} isn't JSON: {_instead_of(value)}")

    def _scalar(self, value: bool | float | str | None, at: str) -> object:
        if isinstance(value, Enum):
            return self.read(value.value, at, 0)
        if isinstance(value, float) and not math.isfinite(value):
            return self._fault(at, f"{value} isn't a number in JSON: leave it out, or write null")
        if isinstance(value, int) and abs(value) >= _TOO_LONG_INT:
            return self._fault(at, "a whole number of more than 4,300 digits: write it as a text")
        if isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError as error:
                return self._fault(
                    at, f"half a character (a lone surrogate) at position {error.start}: no UTF-8 has it"
                )
        return value

    def _mapping(self, value: Mapping[object, object], at: str, depth: int) -> dict[str, object]:
        fields: dict[str, object] = {}
        for name, inner in value.items():
            if not isinstance(name, str):
                self._fault(at, f"the name {quoted(name)} must be a text")
                continue
            read = self.read(inner, f"{at}.{name}".lstrip("."), depth + 1)
            if read is not _LEFT_OUT:
                fields[name] = read
        return fields

    def _fault(self, at: str, why: str) -> object:
        """Note what is wrong. What is read in its place doesn't matter: nothing is sent."""
        self.faults.append(f"`{at or 'params'}`: {why}")
        return None


def _is_left_out(value: object) -> bool:
    """Whether it is the SDK's word for a parameter that isn't given."""
    kind = type(value)
    return kind.__name__ in ("NotGiven", "Omit") and kind.__module__.partition(".")[0] == "anthropic"


def _plain(value: object) -> object:
    """An object as the dict or text that stands for it; the value itself where there is none."""
    if callable(dump := getattr(value, "model_dump", None)):
        # as the SDK does it: what the API didn't say isn't said to it
        return dump(mode="json", exclude_unset=True, exclude=getattr(value, "__api_exclude__", None))
    if callable(as_dict := getattr(value, "to_dict", None)):
        return as_dict()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else value


def _instead_of(value: object) -> str:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "write it as a text (base64.b64encode(…).decode() for an image or a document)"
    if isinstance(value, (date, time)):
        return "write it as a text (.isoformat())"
    if isinstance(value, (set, frozenset)):
        return "it has no order: make it a list"
    if isinstance(value, (Decimal, timedelta)):
        return "write it as a text or a float"
    return "pass what `client.messages.create(**params)` takes"
