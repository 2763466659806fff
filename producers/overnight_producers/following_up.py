"""The next request of a chain, built from an answer that calls tools, was paused, or is to be asked on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from overnight_models import exact_json
from overnight_models.errors import BadItem
from overnight_models.wire.outcome import Outcome
from overnight_producers.params import as_sent

MOST_STEPS: Final = 20
"""Answers in one chain, where nobody says otherwise: a model may call tools for ever."""


def follow_up(
    outcome: Outcome,
    params: Mapping[str, object],
    *,
    results: Mapping[str, object] | Sequence[Mapping[str, object]] | None = None,
    text: str | None = None,
    most_steps: int = MOST_STEPS,
) -> dict[str, Any]:
    """The params of the next request: those of before, the answer as it came, and what comes after it.

    outcome: of the request with these params. Its blocks stay as they are, thinking and its signatures too.
    results: what each tool call came to: by the call's id a text, blocks or any JSON; or `tool_result` blocks.
    text: what is asked next, after the results.
    most_steps: assistant turns in the request at most.

    An answer with `pause_turn` goes on from itself: nothing comes after it.

    Raises BadItem when a call has no result, a result no call, there is no answer, or there were `most_steps` of them.
    """
    message = outcome.message or {}
    content, stop = message.get("content"), message.get("stop_reason")
    if not isinstance(content, list) or not content:
        raise BadItem([f"there is no answer to go on from: {outcome.problem or 'it is empty'}"], key=outcome.key)
    before = as_sent(params)
    turns = before.get("messages")
    messages: list[Any] = deepcopy(turns) if isinstance(turns, list) else []
    steps = 1 + sum(isinstance(turn, dict) and turn.get("role") == "assistant" for turn in messages)
    if steps > most_steps:
        raise BadItem(
            [f"the chain has {most_steps} answers already: raise `most_steps` if it may go on"], key=outcome.key
        )
    messages.append({"role": "assistant", "content": deepcopy(content)})
    calls = [str(block.get("id")) for block in content if isinstance(block, dict) and block.get("type") == "tool_use"]
    blocks = _results(results, calls, outcome.key) + ([] if text is None else [{"type": "text", "text": text}])
    if blocks:
        messages.append({"role": "user", "content": blocks})
    elif stop != "pause_turn":
        raise BadItem(["nothing comes after the answer: give `results` or `text`"], key=outcome.key)
    return before | {"messages": messages}


def _results(
    given: Mapping[str, object] | Sequence[Mapping[str, object]] | None, calls: Sequence[str], key: str
) -> list[Any]:
    """`tool_result` blocks, in the order of the calls; the API wants one for each call, before anything else."""
    if isinstance(given, Mapping):
        blocks = {
            name: {"type": "tool_result", "tool_use_id": name, "content": _content(result)}
            for name, result in given.items()
        }
    else:
        blocks = {str(block.get("tool_use_id")): dict(block) for block in given or ()}
    faults = [f"the tool call {name} has no result" for name in calls if name not in blocks]
    faults += [f"there is a result of {name}, and no such tool call" for name in blocks if name not in calls]
    if faults:
        raise BadItem(faults, key=key)
    return [blocks[name] for name in calls]


def _content(result: object) -> object:
    """A result as the API takes it: a text, or a list of blocks."""
    if isinstance(result, str):
        return result
    if isinstance(result, list) and result and all(isinstance(block, dict) and "type" in block for block in result):
        return result
    return exact_json.dumps(result).decode()
