"""The trace that an item belongs to, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`, `tracestate`.

It is the product's: whoever enqueues within a span has the item's stages, its answer and its callback in that trace.
OpenTelemetry isn't needed for it. Where a process has no span it hasn't imported it, and isn't made to. `tracestate` is
what tracing systems add: names and values, `vendor=value,other=value`, which only they understand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple

NAME: Final = "traceparent"
STATE: Final = "tracestate"
_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_KEY: Final = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_MEMBER: Final = re.compile(rf"({_KEY})=([ -+\--<>-~]{{0,255}}[!-+\--<>-~])")
"""One name and its value: visible ASCII and spaces, without a comma or an equals sign, and no space at its end."""
_MOST_CHARACTERS: Final = 512
_MOST_MEMBERS: Final = 32
_LARGE: Final = 128
"""Characters of a member that is left out first, as the standard has it."""


class Trace(NamedTuple):
    """Where an item is enqueued."""

    traceparent: str
    tracestate: str | None = None

    def fields(self) -> dict[str, str]:
        """The same by the names of headers."""
        return {NAME: self.traceparent} | ({} if self.tracestate is None else {STATE: self.tracestate})


def fields(traceparent: str | None, tracestate: str | None) -> Mapping[str, str]:
    """What is sent with an outcome; empty outside of any trace."""
    return {} if traceparent is None else Trace(traceparent, tracestate).fields()


def read_traceparent(given: object) -> str | None:
    """A trace as it was sent; None when it is none. As the standard has it, that costs nobody an item."""
    read = _FORM.fullmatch(given) if isinstance(given, str) else None
    if read is None or not int(read[1], 16) or not int(read[2], 16):
        return None
    return read[0]


def read_tracestate(given: object) -> str | None:
    """What tracing systems add, at most 512 characters of it; None when it is nothing, or isn't of that form.

    Where it is longer, members of more than 128 characters are left out, then the last ones: they are the oldest.
    """
    if not isinstance(given, str) or len(given) > _MOST_MEMBERS * 520:
        return None
    members = [member for part in given.split(",") if (member := part.strip(" \t"))]
    keys = [read[1] for member in members if (read := _MEMBER.fullmatch(member)) is not None]
    if not members or len(members) > _MOST_MEMBERS or len(keys) < len(members) or len(set(keys)) < len(keys):
        return None
    for at in [n for n in reversed(range(len(members))) if len(members[n]) > _LARGE]:
        if _length(members) > _MOST_CHARACTERS:
            del members[at]
    while _length(members) > _MOST_CHARACTERS:
        members.pop()
    return ",".join(members) or None


def _length(members: list[str]) -> int:
    return sum(map(len, members)) + max(len(members) - 1, 0)


def current_traceparent() -> str | None:
    """The span in which this is called; None outside of any."""
    trace = current_trace()
    return None if trace is None else trace.traceparent


def current_trace() -> Trace | None:
    """The same with what tracing systems add."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    traceparent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return Trace(traceparent, read_tracestate(span.trace_state.to_header()) if span.trace_state else None)
