"""JSON, exactly: integers of any length, and what others write though orjson can't read it.

orjson does all of it in the ordinary case. It reads an integer of more than 64 bits as a float and can't write one, and
it refuses texts that the standard library takes; those go the slow way.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

MOST_LEVELS: Final = 254
"""As deep as orjson writes."""

_DIGITS_ALIKE: Final = bytes(ord("0") if chr(byte).isdecimal() else byte for byte in range(128)) + bytes(
    range(128, 256)
)
_LONG_NUMBER: Final = b"0" * 19
"""Below 64 bits there are 18 digits in any case."""
_STRIDE: Final = 3
_PART_OF_LONG_NUMBER: Final = b"0" * (len(_LONG_NUMBER) // _STRIDE)
"""What at least is seen of it by whoever looks at each third character only."""
_MOST_DIGITS: Final = 4300
"""Python reads and writes no longer integer."""
_PLAIN: Final = (str, int, float, dict, list, tuple, type(None))
"""What JSON is read as. orjson writes some more, such as a datetime."""
_ESCAPE: Final = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_TEXT: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


def loads(text: bytes | str) -> Any:
    """Read JSON as it is, integers of any length included. Raises ValueError."""
    value = orjson.loads(text)
    if not holds_long_number(text):
        return value
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def dumps(value: object, *, sort_keys: bool = False) -> bytes:
    """Write JSON, integers of any length included. Raises TypeError or ValueError."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort_keys else None)
    except TypeError as error:
        if "Recursion" in str(error):
            raise ValueError(f"nested deeper than {MOST_LEVELS} levels") from error
        if "64-bit" not in str(error):
            raise
        try:
            written = json.dumps(
                value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=sort_keys
            ).encode()
        except RecursionError:
            raise ValueError("nested too deep") from error
        if levels(written) > MOST_LEVELS:
            raise ValueError(f"nested deeper than {MOST_LEVELS} levels") from error
        return written


def holds_long_number(text: bytes | str) -> bool:
    """Whether a JSON text may hold an integer of more than 64 bits: then orjson reads a float instead."""
    # a look at each third character spares most texts the whole one, which takes as long as reading them
    if _PART_OF_LONG_NUMBER not in _digits_alike(text[::_STRIDE]):
        return False
    return _LONG_NUMBER in _digits_alike(text)


def _digits_alike(text: bytes | str) -> bytes:
    """The same with 0 for each digit; what isn't ASCII may be anything else."""
    return (text.encode(errors="replace") if isinstance(text, str) else text).translate(_DIGITS_ALIKE)


def mended(text: bytes) -> Any:
    """Read JSON that isn't quite, as well as it can be read. Raises ValueError when it can't.

    Half a character (a lone surrogate) and bytes that are no UTF-8 become U+FFFD; a number that is none, or too large
    to be one (NaN, Infinity, 1e400, more than 4,300 digits), becomes its text; control characters stay.
    """
    whole = _ESCAPE.sub(_whole_character, text.decode("utf-8-sig", "replace"))
    try:
        return json.loads(
            whole, strict=False, parse_constant=str, parse_float=_float_or_text, parse_int=_integer_or_text
        )
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def levels(text: bytes) -> int:
    """How deep a JSON text nests."""
    deepest = depth = 0
    for byte in _TEXT.sub(b"", text):
        if byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def fault_in(value: object, name: str, *, most_levels: int) -> str | None:
    """What of a value can't be written as JSON that every reader takes, by its place; None when all of it can.

    name: what the value is called, such as `params`.
    """
    ways: list[tuple[object, str, int]] = [(value, name, 1)]
    while ways:
        part, place, level = ways.pop()
        if isinstance(part, str) and not _is_whole(part):
            return f"`{place}` holds half a character (a lone surrogate): cut texts between characters"
        if isinstance(part, int) and part.bit_length() > 64 and _has_too_many_digits(part):
            return f"`{place}` is an integer of more than {_MOST_DIGITS:,} digits: send it as a text"
        if not isinstance(part, _PLAIN) and not _can_be_written(part):
            return f"`{place}` is no JSON: its type is {type(part).__name__}"
        if isinstance(part, (Mapping, list, tuple)):
            if level > most_levels:
                return f"`{name}` nests deeper than {most_levels} levels, at `{place[:200]}…`"
            for key, inner in _parts(part):
                if isinstance(part, Mapping) and not isinstance(key, str):
                    return f"`{place}` has the name {key!r}, which is no text"
                if isinstance(key, str) and not _is_whole(key):
                    return f"`{place}` has a name with half a character (a lone surrogate) in it"
                ways.append((inner, f"{place}[{key}]" if isinstance(key, int) else f"{place}.{key}", level + 1))
    return None


def _can_be_written(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:
        return False
    return True


def _parts(value: Mapping[object, object] | Sequence[object]) -> Iterator[tuple[object, object]]:
    return iter(value.items()) if isinstance(value, Mapping) else enumerate(value)


def _is_whole(text: str) -> bool:
    """Whether a text can be written in UTF-8."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _has_too_many_digits(number: int) -> bool:
    return bool(abs(number) >= 10**_MOST_DIGITS)


def _whole_character(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape[1] else escape[0]


def _float_or_text(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _integer_or_text(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text
