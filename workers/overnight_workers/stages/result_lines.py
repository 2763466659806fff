"""A line of a batch's results as it came, whatever it looks like: whose it is, and what it says.

orjson reads nearly all of them. What it can't read, the standard library may; what nobody can read has an outline.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import orjson

from overnight_models import exact_json

_TOKEN: Final = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"|[{}\[\]]', re.DOTALL)
_COLON: Final = re.compile(rb"\s*:")
_WANTED: Final = {
    (b"custom_id",): "custom_id",
    (b"result", b"type"): "kind",
    (b"result", b"message", b"model"): "model",
    (b"result", b"message", b"usage"): "usage",
    (b"result", b"message", b"stop_reason"): "stop_reason",
}
_DEEPEST_WANTED: Final = 3


class Line(NamedTuple):
    """A line as it came, and what it says."""

    raw: bytes
    custom_id: str
    result: dict[str, object] | None
    """None when it can't be read."""
    exact: bool = False
    """Integers of more than 64 bits are what they were."""
    whole: bool = True
    """False of one that may have been cut or damaged on its way: the next read may bring all of it."""
    why: str = ""
    """Why it can't be read."""

    @property
    def is_answer(self) -> bool:
        """It has an answer, which is paid; another line of the same item may have it when this one hasn't."""
        return self.result is not None and self.result.get("type") == "succeeded"


def read_line(raw: bytes) -> Line | None:
    """Read one line. None when it doesn't even say whose it is."""
    try:
        return _line(raw, orjson.loads(raw), exact=False)
    except ValueError:
        pass
    try:
        return _line(raw, exact_json.mended(raw), exact=True)
    except ValueError as error:
        fields, whole = outline(raw)
        custom_id = fields.get("custom_id")
        return Line(raw, custom_id, None, whole=whole, why=str(error)) if isinstance(custom_id, str) else None


def _line(raw: bytes, document: object, *, exact: bool) -> Line | None:
    if not isinstance(document, dict) or not isinstance(custom_id := document.get("custom_id"), str):
        return None
    result = document.get("result")
    if not isinstance(result, dict):
        return Line(raw, custom_id, None, why="it has no `result`")
    if result.get("type") == "succeeded" and not isinstance(result.get("message"), dict):
        return Line(raw, custom_id, None, why="it has succeeded, and there is no `message`")
    return Line(raw, custom_id, result, exact)


def outline(raw: bytes) -> tuple[dict[str, object], bool]:
    """The values that are wanted of a line, where they can be read, and whether it is whole: all that opens closes.

    Only texts and brackets are looked at, so neither depth nor odd numbers matter.
    """
    fields: dict[str, object] = {}
    names: list[bytes] = []
    opened: list[int] = []
    name = b""
    end = 0
    for token in _TOKEN.finditer(raw):
        text, end = token[0], token.end()
        if text in (b"{", b"["):
            names.append(name)
            opened.append(token.start())
            name = b""
        elif text in (b"}", b"]"):
            if not opened:
                return fields, False
            began = opened.pop()
            if len(names) <= _DEEPEST_WANTED + 1:
                _note(fields, tuple(names), raw[began:end])
            names.pop()
            name = b""
        elif _COLON.match(raw, end):
            name = token[1]
        else:
            if len(names) <= _DEEPEST_WANTED:
                _note(fields, (*names, name), text)
            name = b""
    return fields, not opened and raw[:1] == b"{" and not raw[end:].strip()


def _note(fields: dict[str, object], place: tuple[bytes, ...], text: bytes) -> None:
    """Keep a value that stands where one is wanted; the first name of a place is the line's own, and empty."""
    wanted = _WANTED.get(place[1:])
    if wanted is None or wanted in fields:
        return
    try:
        fields[wanted] = exact_json.mended(text)
    except ValueError:
        return
