"""Items that say themselves what shall happen to them.

`params.metadata.user_id` of the form `sandbox:DO`, `sandbox:errored:TYPE`, or either with `:TIMES` at the end:
only the first TIMES times that this request (the same params) is seen, then it is an ordinary one.

DO is one of: errored, expired, canceled, refused, cut_off, invalid_output, missing (no line at all),
duplicate_line, unknown_type (a result type nobody knows), unknown_stop (an answer that ended for a reason nobody
knows), tool_call (words and a call of a tool, whatever was asked for), preamble (words, a web search and then the
answer), thought_only and empty (an answer without text, with and without thinking), paused (pause_turn), compaction
(stopped with nothing but a compaction), window_full (model_context_window_exceeded), compacted and advised (an answer
after a compaction, or after an advisor was asked: billed in usage.iterations), reject (a create that contains it is
answered with 400), answer_bytes:N (no fault: an answer of N bytes).
And lines that not every reader of JSON takes, of answers that are billed as usual: lone_surrogate, not_a_number (NaN),
huge_number (1e400), big_integer (of 30 digits), deep (2,000 lists), garbled (a quote that isn't escaped),
cut_line (its first two thirds).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

#: Answers that stand out by what stands in them, why they stopped, or what is billed beside them.
SHAPES = frozenset(
    {
        "tool_call",
        "preamble",
        "thought_only",
        "empty",
        "paused",
        "compaction",
        "window_full",
        "compacted",
        "advised",
    }
)
DEEDS = frozenset(
    {
        "errored",
        "expired",
        "canceled",
        "refused",
        "cut_off",
        "invalid_output",
        "missing",
        "duplicate_line",
        "unknown_type",
        "unknown_stop",
        "lone_surrogate",
        "not_a_number",
        "huge_number",
        "big_integer",
        "deep",
        "garbled",
        "cut_line",
        *SHAPES,
        "reject",
        "answer_bytes",
    }
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A wish: what to do, with which error type or size, and how many times (None: always)."""

    do: str
    detail: str = ""
    times: int | None = None


def mark_of(params: Mapping[str, object]) -> Mark | None:
    """The mark of a request, if it carries one."""
    metadata = params.get("metadata")
    if not isinstance(metadata, dict):
        return None
    text = metadata.get("user_id")
    if not isinstance(text, str) or not text.startswith("sandbox:"):
        return None
    do, *rest = text.split(":")[1:]
    if do not in DEEDS:
        return None
    if do == "answer_bytes":
        return Mark(do, rest[0]) if rest and rest[0].isdigit() else None
    times = int(rest.pop()) if rest and rest[-1].isdigit() else None
    return Mark(do, rest[0] if rest else "", times)
