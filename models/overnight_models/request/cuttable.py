"""The cuttable: the text of a request that may be shortened when its prompt is longer than its lane takes.

It is named by its place, as the API's own errors name one: `system`, `messages.0.content` for a message that is a text,
`messages.0.content.1.text` for a block of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

_PLACE: Final = re.compile(r"system(\.\d+\.text)?|messages\.\d+\.content(\.\d+\.(text|content|source\.data))*")


def is_place(value: object) -> bool:
    """Whether it can name a text of a request."""
    return isinstance(value, str) and _PLACE.fullmatch(value) is not None


def text_at(params: Mapping[str, object], place: str) -> str | None:
    """The text that stands there; None when there is none. The data of an image or a PDF is no text."""
    holder: object = None
    value: object = params
    for step in _steps(place):
        holder = value
        if isinstance(step, int):
            value = value[step] if isinstance(value, (list, tuple)) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    if place.endswith("data") and isinstance(holder, Mapping) and holder.get("type") != "text":
        return None
    return value if isinstance(value, str) else None


def with_text(params: Mapping[str, object], place: str, text: str) -> dict[str, object]:
    """The request with another text there; the given one is left as it is."""
    first, *steps = _steps(place)
    return {**params, str(first): _changed(params[str(first)], steps, text)}


def _changed(part: object, steps: Sequence[str | int], text: str) -> object:
    if not steps:
        return text
    first, *rest = steps
    if isinstance(first, int):
        assert isinstance(part, (list, tuple)), "the place was looked at"
        return [_changed(inner, rest, text) if number == first else inner for number, inner in enumerate(part)]
    assert isinstance(part, Mapping), "the place was looked at"
    return {**part, first: _changed(part[first], rest, text)}


def _steps(place: str) -> list[str | int]:
    return [int(step) if step.isdecimal() else step for step in place.split(".")]
