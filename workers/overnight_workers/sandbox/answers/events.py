"""A message as the events of a stream: message_start, its blocks with their deltas, message_delta, message_stop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from overnight_models import exact_json

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_PIECE = 40
"""Characters of a delta."""
_AT_THE_END = ("stop_reason", "stop_sequence", "stop_details", "container")
_CUMULATIVE = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
    "iterations",
)
"""Counters of `usage` that message_delta repeats, as they are at the end."""


def events_of(message: bytes) -> list[bytes]:
    """The events of a message, in their order, each as it is written to the connection."""
    whole: dict[str, Any] = exact_json.loads(message)
    usage, content = whole["usage"], whole["content"]
    started = {**whole, "content": [], **dict.fromkeys(_AT_THE_END), "usage": {**usage, "output_tokens": 1}}
    events = [event("message_start", message=started)]
    for index, block in enumerate(content):
        events += _of_block(index, block)
        if index == 0:
            events.insert(2, PING)
    ended = {key: whole[key] for key in _AT_THE_END}
    counted = {key: usage[key] for key in _CUMULATIVE if key in usage}
    return [*events, event("message_delta", delta=ended, usage=counted), event("message_stop")]


def event(kind: str, **more: object) -> bytes:
    """One event of a stream."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), exact_json.dumps({"type": kind, **more}))


def _of_block(index: int, block: dict[str, Any]) -> list[bytes]:
    empty, deltas = _divided(block)
    return [
        event("content_block_start", index=index, content_block=empty),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    ]


def _divided(block: dict[str, Any]) -> tuple[dict[str, object], list[dict[str, object]]]:
    """A block as it begins, and the deltas that fill it. Blocks that the API sends whole have none."""
    match block["type"]:
        case "text":
            deltas: list[dict[str, object]] = [
                {"type": "text_delta", "text": piece} for piece in _pieces(block["text"])
            ]
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"] or ()]
            return {**block, "text": "", "citations": None}, deltas
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case "tool_use" | "server_tool_use":
            written = exact_json.dumps(block["input"]).decode()
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *_pieces(written))]
            return {**block, "input": {}}, deltas
        case "compaction":
            return {**block, "content": None}, [{"type": "compaction_delta", "content": block["content"]}]
        case _:
            return block, []


def _pieces(text: str) -> Iterator[str]:
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))
