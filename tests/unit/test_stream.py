"""A streamed answer is gathered into the message that it would have been in one piece, whatever stands in it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from overnight_workers.anthropic_api.stream import Gathered
from overnight_workers.sandbox.answers.events import PING, event, events_of

USAGE = {
    "input_tokens": 12,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 4,
    "output_tokens": 5678,
    "output_tokens_details": {"thinking_tokens": 9},
    "service_tier": "standard",
}
TEXT = {"type": "text", "text": "A kettle boils water. " * 20, "citations": None}
THOUGHT = {"type": "thinking", "thinking": "Let me think about it. " * 10, "signature": "c2lnbmVk" * 10}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": [1, 2.5, 2**70], "b": {"ä": "\n"}}}
CITED = {"type": "text", "text": "So it says.", "citations": [{"type": "page_location", "start_page_number": 1}]}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "x", "n": 1}]}


def message(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-5-5",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
        "usage": USAGE,
    }


def gathered(events: bytes, size: int) -> Gathered:
    stream = Gathered()
    for start in range(0, len(events), size):
        stream.take(events[start : start + size])
    return stream


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(message(TEXT), id="text"),
        pytest.param(message(THOUGHT, TEXT), id="thinking"),
        pytest.param(message(TEXT, CALL, CALL, stop="tool_use"), id="calls of tools"),
        pytest.param(message({**CALL, "input": {}}, stop="tool_use"), id="a call without input"),
        pytest.param(message(CITED), id="a document that is cited"),
        pytest.param(message(FOUND, TEXT), id="a search"),
        pytest.param(message(stop="refusal"), id="nothing"),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_it_is_the_message_as_in_one_piece_however_it_is_cut_on_its_way(whole: dict[str, Any], size: int) -> None:
    events = b"".join(events_of(json.dumps(whole).encode()))
    stream = gathered(events, size)
    assert stream.is_whole
    assert json.loads(stream.message()) == whole


def test_without_its_last_event_it_is_not_whole() -> None:
    *events, _ = events_of(json.dumps(message(TEXT)).encode())
    assert not gathered(b"".join(events), 100).is_whole


def test_an_error_in_the_middle_is_said_and_makes_it_worthless() -> None:
    first, *_ = events_of(json.dumps(message(TEXT)).encode())
    error_event = event("error", error={"type": "overloaded_error", "message": "Overloaded"})
    stream = gathered(first + error_event + event("message_stop"), 50)
    assert (stream.is_whole, stream.fault) == (False, "overloaded_error: Overloaded")


def test_events_and_deltas_of_tomorrow_are_passed_over_or_kept() -> None:
    events = events_of(json.dumps(message(TEXT)).encode())
    later = event("content_block_delta", index=0, delta={"type": "mood_delta", "mood": "calm"})
    stream = gathered(b"".join([*events[:2], PING, event("weather", sky="blue"), later, *events[2:]]), 30)
    assert stream.is_whole
    assert json.loads(stream.message())["content"] == [{**TEXT, "mood": "calm"}]


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(event("content_block_delta", index=3, delta={"type": "text_delta", "text": "x"}), id="no block"),
        pytest.param(b"data: {broken\n\n", id="no JSON"),
        pytest.param(b"data: 7\n\n", id="no object"),
    ],
)
def test_what_is_no_stream_of_events_is_a_value_error(broken: bytes) -> None:
    first, *_ = events_of(json.dumps(message(TEXT)).encode())
    with pytest.raises(ValueError, match=r"block|JSON|object|xpect"):
        gathered(first + broken, 1000)
