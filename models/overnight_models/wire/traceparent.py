"""The trace that an item belongs to, as W3C Trace Context writes it: `00-<trace id>-<span id>-<flags>`.

It is the product's: whoever enqueues within a span has the item's stages, its answer and its callback in that trace.
OpenTelemetry isn't needed for it. Where a process has no span it hasn't imported it, and isn't made to.
"""

from __future__ import annotations

import re
import sys
from typing import Final

NAME: Final = "traceparent"
_FORM: Final = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")


def read_traceparent(given: object) -> str | None:
    """A trace as it was sent; None when it is none. As the standard has it, that costs nobody an item."""
    read = _FORM.fullmatch(given) if isinstance(given, str) else None
    if read is None or not int(read[1], 16) or not int(read[2], 16):
        return None
    return read[0]


def current_traceparent() -> str | None:
    """The span in which this is called; None outside of any."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    span = trace.get_current_span().get_span_context()
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" if span.is_valid else None
