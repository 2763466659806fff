"""One line of a batch's results, whatever it looks like: whose it is, and what came back.

orjson reads nearly all of them. What it can't read, the standard library may; what nobody can read is kept as bytes,
with its bill as far as its outline shows it: the answer is paid, and the API keeps it for 29 days only.
"""

from __future__ import annotations

import base64
import re
from typing import Any, Final, NamedTuple

import orjson

from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.money.prices import Prices
from overnight_models.wire import exact_json
from overnight_models.wire.outcome import Problem
from overnight_workers.stages.collect.results import read_result
from overnight_workers.stages.output_schema import Check

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
_NO_ANSWER: Final = frozenset({"errored", "expired", "canceled"})


class Line(NamedTuple):
    """A line as it came, and what it says."""

    raw: bytes
    custom_id: str
    result: dict[str, Any] | None
    """None when it can't be read."""
    exact: bool = False
    """Integers of more than 64 bits are what they were."""
    whole: bool = True
    """False of one that may have been cut or damaged on its way: the next read may bring all of it."""
    why: str = ""
    """Why it can't be read."""


def read_line(raw: bytes) -> Line | None:
    """Read one line. None when it doesn't even say whose it is."""
    try:
        return _line(raw, orjson.loads(raw), exact=False)
    except ValueError:
        pass
    try:
        return _line(raw, exact_json.mended(raw), exact=True)
    except ValueError as error:
        found, whole = _outline(raw)
        custom_id = found.get("custom_id")
        return Line(raw, custom_id, None, whole=whole, why=str(error)) if isinstance(custom_id, str) else None


def _line(raw: bytes, document: Any, *, exact: bool) -> Line | None:
    custom_id = document.get("custom_id") if isinstance(document, dict) else None
    if not isinstance(custom_id, str):
        return None
    result = document.get("result")
    if not isinstance(result, dict):
        return Line(raw, custom_id, None, why="it has no `result`")
    if result.get("type") == "succeeded" and not isinstance(result.get("message"), dict):
        return Line(raw, custom_id, None, why="it has succeeded, and there is no `message`")
    return Line(raw, custom_id, result, exact)


def arrival(item_id: int, line: Line, prices: Prices, check: Check | None) -> Arrival:
    """What a line means for its item; see `results.read_result`."""
    if line.result is None:
        return _unreadable(item_id, line, prices, line.why)
    try:
        read = read_result(item_id, line.result, prices, check)
        if read.message is None:
            return read
        # what is written again as it came is exact; otherwise an integer may have become a float
        if not line.exact and not line.raw.endswith(read.message, 0, -2) and exact_json.holds_long_number(line.raw):
            line = line._replace(result=exact_json.mended(line.raw)["result"], exact=True)
            read = read_result(item_id, line.result or {}, prices, check)
        # beside the message, `usage` is written by orjson
        return read._replace(usage=orjson.loads(read.message or b"{}").get("usage")) if line.exact else read
    except ValueError as error:
        return _unreadable(item_id, line, prices, str(error))


def _unreadable(item_id: int, line: Line, prices: Prices, why: str) -> Arrival:
    """An arrival that keeps the line as it came. What is billed and what it cost is said where the outline shows it."""
    found, _ = _outline(line.raw)
    kind, usage = found.get("kind"), found.get("usage")
    if kind in _NO_ANSWER:
        return read_result(item_id, {"type": kind}, prices, None)
    message = {name: found[name] for name in ("model", "stop_reason") if isinstance(found.get(name), str)} | {
        "type": "unreadable",
        "content": [],
        "usage": usage if isinstance(usage, dict) else None,
        "line_base64": base64.b64encode(line.raw).decode(),
    }
    read = read_result(item_id, {"type": "succeeded", "message": message}, prices, None)
    billed = read.billed and (kind == "succeeded" or isinstance(usage, dict))
    unknown: dict[str, Any] = {} if isinstance(usage, dict) else {"cost_nano": None, "realtime_nano": None}
    return read._replace(
        fate=Fate.FAIL,
        problem=Problem.INVALID_OUTPUT if billed else Problem.ERRORED,
        detail=f"its result can't be read ({why}): it is kept as it came, in the message's `line_base64`",
        retryable=True,
        billed=billed,
        **(unknown if billed else {"cost_nano": 0, "realtime_nano": 0}),
    )


def _outline(raw: bytes) -> tuple[dict[str, Any], bool]:
    """The values that are wanted of a line, where they can be read, and whether it is whole: all that opens closes.

    Only texts and brackets are looked at, so neither depth nor odd numbers matter.
    """
    found: dict[str, Any] = {}
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
                return found, False
            began = opened.pop()
            if len(names) <= _DEEPEST_WANTED + 1:
                _note(found, tuple(names), raw[began:end])
            names.pop()
            name = b""
        elif _COLON.match(raw, end):
            name = token[1]
        else:
            if len(names) <= _DEEPEST_WANTED:
                _note(found, (*names, name), text)
            name = b""
    return found, not opened and raw[:1] == b"{" and not raw[end:].strip()


def _note(found: dict[str, Any], place: tuple[bytes, ...], text: bytes) -> None:
    """Keep a value that stands where one is wanted; the first name of a place is the line's own, and empty."""
    wanted = _WANTED.get(place[1:])
    if wanted is None or wanted in found:
        return
    try:
        found[wanted] = exact_json.mended(text)
    except ValueError:
        return
