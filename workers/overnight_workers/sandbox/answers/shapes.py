"""Answers of another shape than text at the end of a turn: tool calls, searches first, compactions, nothing at all."""

from __future__ import annotations

from typing import NamedTuple

import orjson

from overnight_models.money.prices import Usage
from overnight_workers.sandbox.answers.answers import Answer

_WORDS: dict[str, object] = {"type": "text", "text": "Made up by the sandbox: let me look first.", "citations": None}
_CALL: dict[str, object] = {
    "type": "tool_use",
    "id": "toolu_sandbox",
    "name": "made_up_by_the_sandbox",
    "input": {"about": "an item"},
}
_SEARCH: list[dict[str, object]] = [
    {"type": "server_tool_use", "id": "srvtoolu_sandbox", "name": "web_search", "input": {"query": "made up"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_sandbox", "content": []},
]
_ADVICE: list[dict[str, object]] = [
    {"type": "server_tool_use", "id": "srvtoolu_sandbox", "name": "advisor", "input": {}},
    {
        "type": "advisor_tool_result",
        "tool_use_id": "srvtoolu_sandbox",
        "content": {"type": "advisor_result", "text": "Made up by the sandbox: go on."},
    },
]
_COMPACTION: dict[str, object] = {
    "type": "compaction",
    "content": "Made up by the sandbox: a summary of what came before.",
}
_THOUGHT: dict[str, object] = {"type": "thinking", "thinking": "", "signature": "bWFkZSB1cCBieSB0aGUgc2FuZGJveA"}


_COUNTERS = (
    "input_tokens",
    "output_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "cache_creation",
)
#: The model that an advised answer has asked.
ADVISOR = "claude-opus-5-5"


def shaped(said: Answer, shape: str) -> Answer:
    """The answer in one of the shapes of `marks.SHAPES`."""
    blocks: list[dict[str, object]] = orjson.loads(said.content)
    match shape:
        case "tool_call":
            return _with(said, [_WORDS, _CALL], b"tool_use")
        case "preamble":
            return _with(said, [_WORDS, *_SEARCH, *blocks])._replace(searches=1)
        case "thought_only":
            return _with(said, [_THOUGHT])
        case "empty":
            return _with(said, [])
        case "paused":
            return _with(said, [_WORDS, _SEARCH[0]], b"pause_turn")
        case "compaction":
            return _with(said, [_COMPACTION], b"compaction")._replace(beside="compacted")
        case "window_full":
            return _with(said, blocks, b"model_context_window_exceeded")
        case "compacted":
            return _with(said, [_COMPACTION, *blocks])._replace(beside=shape)
        case _:
            return _with(said, [*_ADVICE, *blocks])._replace(beside=shape)


class Beside(NamedTuple):
    """A call that the API made beside an answer: its type in `usage.iterations`, its model, its counters."""

    type: str
    model: str
    usage: Usage


def beside(kind: str, own_model: str, own: Usage) -> Beside:
    """What was done beside an answer with the counters `own`: "compacted" or "advised"."""
    if kind == "compacted":
        # it reads what is left out of the prompt from then on, and writes a summary
        usage = Usage(8 * own.prompt_tokens, output_tokens=350, inference_geo=own.inference_geo)
        return Beside("compaction", own_model, usage)
    usage = Usage(own.prompt_tokens, output_tokens=500, inference_geo=own.inference_geo)
    return Beside("advisor_message", ADVISOR, usage)


def told_in_usage(message: bytes, searches: int, done_beside: Beside | None) -> bytes:
    """The message, its usage with the searches and with what was done beside it."""
    document = orjson.loads(message)
    usage = document["usage"]
    if searches:
        usage["server_tool_use"] = {"web_search_requests": searches, "web_fetch_requests": 0}
    if done_beside is not None:
        counted = done_beside.usage
        extra: dict[str, object] = {"type": done_beside.type, "model": done_beside.model} | dict.fromkeys(_COUNTERS, 0)
        extra |= {"input_tokens": counted.input_tokens, "output_tokens": counted.output_tokens, "cache_creation": None}
        if done_beside.type == "compaction":
            del extra["model"]
        usage["iterations"] = [extra, {"type": "message"} | {key: usage[key] for key in _COUNTERS}]
    return orjson.dumps(document)


def _with(said: Answer, blocks: list[dict[str, object]], stop: bytes | None = None) -> Answer:
    return said._replace(content=orjson.dumps(blocks), stop_reason=stop or said.stop_reason)
