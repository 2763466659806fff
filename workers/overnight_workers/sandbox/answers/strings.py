"""Strings that the sandbox makes up: they say so, and fit a length, a format or a pattern."""

from __future__ import annotations

import re
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

from overnight_workers.sandbox.draws import draw

_ABOUT = "Made-up sandbox answer about: "
_FILLER = (
    " Nothing here was written by a model: the sandbox made it up from the request, "
    "the same way every time, so that a program can be tried without a key and without cost."
)
_MUCH_FILLER = _FILLER * 40
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
_CLASSES = {
    code.CATEGORY_DIGIT: "0123456789",
    code.CATEGORY_WORD: _ALPHABET + "_",
    code.CATEGORY_SPACE: " ",
    code.CATEGORY_NOT_DIGIT: "abcdefghijklmnopqrstuvwxyz",
    code.CATEGORY_NOT_WORD: " -",
    code.CATEGORY_NOT_SPACE: _ALPHABET,
}


def sized(words: str, low: int | None, high: int | None) -> str:
    """A sentence that says it is made up, about `words`, between `low` and `high` characters."""
    text = f"{_ABOUT}{words}"
    if high is not None and len(text) > high:
        # In a tight space the words of the input are worth more than the whole disclaimer.
        text = f"Made up: {words}"[:high] if high >= 24 else "made-up"[:high]
    if low is not None:
        while len(text) < low:
            text += _FILLER[: low - len(text)]
    return text


def filled(words: str, length: int, quoted: str = "") -> str:
    """Free text of about `length` characters. quoted: what it may go on with, so that answers differ as texts do."""
    text = f"{_ABOUT}{words}. {quoted}"[:length] if quoted else f"{_ABOUT}{words}."
    missing = length - len(text)
    if missing > len(_MUCH_FILLER):
        return text + (_FILLER * (missing // len(_FILLER) + 1))[:missing]
    return text + _MUCH_FILLER[:missing] if missing > 0 else text


def formatted(name: str, number: int) -> str:
    """A value of a JSON schema `format`."""
    digits = f"{int(draw(number, 21) * 0xFFFFFFFF):08x}"
    day = f"2026-{1 + int(draw(number, 22) * 12):02d}-{1 + int(draw(number, 23) * 28):02d}"
    hour = f"{int(draw(number, 24) * 24):02d}:{int(draw(number, 25) * 60):02d}:00"
    match name:
        case "date-time":
            return f"{day}T{hour}Z"
        case "date":
            return day
        case "time":
            return f"{hour}Z"
        case "duration":
            return f"PT{1 + int(draw(number, 26) * 59)}M"
        case "email" | "idn-email":
            return f"made-up-{digits}@sandbox.invalid"
        case "hostname":
            return f"made-up-{digits}.invalid"
        case "uri" | "uri-reference":
            return f"https://sandbox.invalid/made-up/{digits}"
        case "uuid":
            return f"{digits}-0000-4000-8000-{digits}0000"
        case "ipv4":
            return f"192.0.2.{int(draw(number, 27) * 256)}"
        case "ipv6":
            return f"2001:db8::{digits[:4].lstrip('0') or '0'}"
        case "regex":
            return "^made-up$"
        case _:
            return f"/made-up/{digits}"


def matching(pattern: str, low: int | None, high: int | None, number: int) -> str:
    """A string that matches a regular expression, if it can be made in a few tries."""
    try:
        parsed = parser.parse(pattern)
    except (re.error, RecursionError, OverflowError):
        return sized("", low, high)
    text = ""
    for attempt in range(8):
        text = _written(parsed, number, attempt, low or 0)
        if (low is None or len(text) >= low) and (high is None or len(text) <= high) and re.search(pattern, text):
            break
    return text


def _written(parsed: object, number: int, attempt: int, low: int) -> str:
    written: list[str] = []
    groups: dict[int, str] = {}

    def write(items: Any) -> None:
        for place, (op, argument) in enumerate(items):
            chance = draw(number, attempt, len(written), place)
            if op is code.LITERAL:
                written.append(chr(argument))
            elif op is code.NOT_LITERAL:
                written.append("a" if chr(argument) != "a" else "b")
            elif op is code.ANY:
                written.append(_ALPHABET[int(chance * len(_ALPHABET))])
            elif op is code.IN:
                written.append(_picked(argument, chance))
            elif op is code.BRANCH:
                write(argument[1][int(chance * len(argument[1]))])
            elif op is code.SUBPATTERN:
                start = len(written)
                write(argument[3])
                if argument[0] is not None:
                    groups[argument[0]] = "".join(written[start:])
            elif op in (code.MAX_REPEAT, code.MIN_REPEAT):
                least, at_most, repeated = argument
                spare = max(low, least + 3) if attempt % 2 == 0 else least
                for _ in range(max(least, min(at_most, spare))):
                    write(repeated)
            elif op is code.GROUPREF:
                written.append(groups.get(argument, ""))

    write(parsed)
    return "".join(written)


def _picked(choices: Any, chance: float) -> str:
    if choices[0][0] is code.NEGATE:
        barred = re.compile("[" + "".join(_as_class(choice) for choice in choices[1:]) + "]")
        allowed = [letter for letter in _ALPHABET + "ABC _-" if barred.match(letter) is None]
        return allowed[int(chance * len(allowed))] if allowed else "~"
    kind, argument = choices[int(chance * len(choices))]
    if kind is code.RANGE:
        first, last = argument
        return chr(first + int(chance * 7919 % 1 * (last - first + 1)))
    if kind is code.CATEGORY:
        letters = _CLASSES.get(argument, "a")
        return letters[int(chance * 7919 % 1 * len(letters))]
    return chr(argument)


def _as_class(choice: Any) -> str:
    kind, argument = choice
    if kind is code.RANGE:
        return f"{re.escape(chr(argument[0]))}-{re.escape(chr(argument[1]))}"
    if kind is code.CATEGORY:
        names = {code.CATEGORY_DIGIT: r"\d", code.CATEGORY_WORD: r"\w", code.CATEGORY_SPACE: r"\s"}
        return names.get(argument, "")
    return re.escape(chr(argument))
