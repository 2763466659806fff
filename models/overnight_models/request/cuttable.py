"""The cuttable: the text of a request that may be shortened when its prompt is longer than its lane takes.

It is named by its place, as the API's own errors name one: `system`, `messages.0.content` for a message that is a text,
`messages.0.content.1.text` for a block of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

_PLACE: Final = re.compile(r"system(\.\d+\.text)?|messages\.\d+\.content(\.\d+\.(text|content|source\.data))*")


def is_place(value: object) -> bool:
    """Whether it can name a text of a request."""
    return isinstance(value, str) and _PLACE.fullmatch(value) is not None


def text_at(params: Mapping[str, Any], place: str) -> str | None:
    """The text that stands there; None when there is none. The data of an image or a PDF is no text."""
    holder: Any = None
    found: Any = params
    for step in _steps(place):
        holder = found
        if isinstance(step, int):
            found = found[step] if isinstance(found, (list, tuple)) and step < len(found) else None
        else:
            found = found.get(step) if isinstance(found, Mapping) else None
    if place.endswith("data") and holder is not None and holder.get("type") != "text":
        return None
    return found if isinstance(found, str) else None


def with_text(params: Mapping[str, Any], place: str, text: str) -> dict[str, Any]:
    """The request with another text there; the given one is left as it is."""
    changed: dict[str, Any] = _changed(params, _steps(place), text)
    return changed


def _changed(part: Any, steps: Sequence[str | int], text: str) -> Any:
    if not steps:
        return text
    copy: Any = list(part) if isinstance(steps[0], int) else dict(part)
    copy[steps[0]] = _changed(part[steps[0]], steps[1:], text)
    return copy


def _steps(place: str) -> list[str | int]:
    return [int(step) if step.isdecimal() else step for step in place.split(".")]
