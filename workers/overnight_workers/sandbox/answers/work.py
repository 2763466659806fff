"""What becomes of each request of a batch: a pure function of the stored request and the batch's row.

Settling a batch and streaming its results both go through here, which is why results needn't be stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson

from overnight_models.money.prices import Prices, Usage
from overnight_workers.sandbox.answers import caching
from overnight_workers.sandbox.answers.answers import Answer, answer
from overnight_workers.sandbox.answers.caching import Breakpoint, Split
from overnight_workers.sandbox.answers.checked import Message, Rest
from overnight_workers.sandbox.answers.checks import Problem, Terms, problem_of_messages
from overnight_workers.sandbox.answers.odd_contents import ODD_CONTENTS
from overnight_workers.sandbox.answers.profiles import Plan, Plans
from overnight_workers.sandbox.answers.shapes import Beside, beside, shaped, told_in_usage
from overnight_workers.sandbox.answers.weights import BYTES_PER_TOKEN, MESSAGE_TOKENS, messages_tokens, text_bytes
from overnight_workers.sandbox.batch import Batch
from overnight_workers.sandbox.draws import draw
from overnight_workers.sandbox.errors import MESSAGE_BY_TYPE
from overnight_workers.sandbox.faults.marks import SHAPES, Mark

#: Told to go wrong: what the model did. The request has succeeded, and is billed.
TWISTS = frozenset({"refused", "cut_off", "invalid_output", "unknown_stop"}) | SHAPES
#: Told to go wrong: what becomes of the line in the results.
LINE_DEEDS = frozenset({"missing", "duplicate_line", "unknown_type", "cut_line"}) | ODD_CONTENTS.keys()
_CACHE_CONTROL = b'"cache_control"'
_MESSAGE = (
    b'%b%b","type":"message","role":"assistant","content":%b,"stop_reason":"%b","stop_sequence":null,'
    b'"stop_details":%b,"container":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":%d,'
    b'"cache_read_input_tokens":%d,"cache_creation":{"ephemeral_5m_input_tokens":%d,'
    b'"ephemeral_1h_input_tokens":%d},"output_tokens":%d,"output_tokens_details":{"thinking_tokens":%d},'
    b'"server_tool_use":null,%b'
)

ReadDepth = Callable[[int, list[Breakpoint]], int]


class Done(NamedTuple):
    """One request's end. `plan`, `answer` and `split` are there when it succeeded, `problem` when it errored."""

    custom_id: str
    kind: str
    line_deed: str = ""
    problem: Problem | None = None
    plan: Plan | None = None
    answer: Answer | None = None
    split: Split | None = None


class Work:
    """Goes through the requests of one batch. `read_depth` says how much of a prompt came from the cache."""

    def __init__(self, prices: Prices, seed: int, answer_bytes: int, batch: Batch, read_depth: ReadDepth) -> None:
        self._seed = seed
        self._batch = batch
        self._read_depth = read_depth
        self._share = batch.done_share
        self._terms = Terms(
            prices=prices,
            batch=True,
            strict=batch.version >= "2026-10-21",
            betas=batch.betas,
            now_us=batch.created_at,
        )
        self._plans = Plans(self._terms, answer_bytes, tier="batch")

    def done(self, position: int, raw: bytes) -> Done:
        """What becomes of the request at `position`, whose stored bytes are `raw`."""
        request = orjson.loads(raw)
        custom_id, params = request["custom_id"], request["params"]
        if self._share < 1.0 and draw(self._seed, self._batch.fate, position, 41) >= self._share:
            return Done(custom_id, "expired" if self._batch.cancel_at is None else "canceled")
        messages = params.pop("messages", None)
        plan = self._plans.of(params)
        text = _plain_text(messages)
        cached = _CACHE_CONTROL in raw
        problem = plan.problem
        if problem is None and (text is None or cached):
            problem = problem_of(plan, params, messages, self._terms, cached=cached)
        if problem is not None:
            return Done(custom_id, "errored", "", problem)
        mark = self._told(position, plan) if plan.mark is not None or self._batch.faults else None
        do = "" if mark is None else mark.do
        if do in ("expired", "canceled"):
            return Done(custom_id, do)
        if mark is not None and do == "errored":
            return Done(custom_id, do, "", told_problem(mark.detail))
        if do == "unknown_type":
            return Done(custom_id, "errored", do, told_problem(""))
        if text is None:
            text, tokens = last_text(messages), messages_tokens(messages)
        else:
            tokens = MESSAGE_TOKENS + -(-text_bytes(text) // BYTES_PER_TOKEN)
        said = answered(plan, text, self._seed, do)
        split = Split(plan.rest_tokens + tokens, 0, 0, 0)
        if cached and plan.model is not None:
            params["messages"] = messages
            points = caching.breakpoints_of(params, plan.model)
            if points:
                split = caching.split(split.uncached, points, self._read_depth(position, points))
        return Done(custom_id, "succeeded", do if do in LINE_DEEDS else "", None, plan, said, split)

    def _told(self, position: int, plan: Plan) -> Mark | None:
        """What was ordered for this item: by its own mark, or by the faults in force when it came."""
        mark = plan.mark
        if mark is not None and (mark.times is None or self._batch.seen_before.get(str(position), 0) < mark.times):
            return mark
        for number, fault in enumerate(self._batch.faults):
            first = fault.get("first")
            if first is None:
                hit = draw(fault["seed"], self._batch.fate, position, number, 42) < fault["rate"]
            else:
                hit = position < first
            if hit:
                return Mark(fault["do"], fault.get("type") or "")
        return None


def problem_of(plan: Plan, rest: Rest, messages: list[Message], terms: Terms, *, cached: bool) -> Problem | None:
    """What is wrong with the messages of a request whose rest is right."""
    assert plan.model is not None, "its rest is right"
    message = problem_of_messages(messages, plan.model, strict=terms.strict)
    if message is None and cached:
        message = caching.problem_of({**rest, "messages": messages})
    return None if message is None else Problem("invalid_request_error", message)


def answered(plan: Plan, text: str, seed: int, do: str) -> Answer:
    """The answer to the `text` of a request that is right."""
    assert plan.task is not None, "the request is right"
    said = answer(plan.task, text, seed, do if do in TWISTS else "")
    return shaped(said, do) if do in SHAPES else said


def told_problem(type_: str) -> Problem:
    """The problem of an item that was told to error; `api_error` unless it says otherwise."""
    type_ = type_ or "api_error"
    return Problem(type_, MESSAGE_BY_TYPE.get(type_, "Made up: the sandbox was told to fail this request."))


def usage_of(done: Done) -> Usage:
    """The counters that a request that succeeded is billed by."""
    plan, said, split = done.plan, done.answer, done.split
    assert plan is not None and said is not None and split is not None, "only what succeeded is billed"  # noqa: PT018
    return Usage(
        split.uncached,
        split.write_5m,
        split.write_1h,
        split.read,
        said.output_tokens,
        said.thinking_tokens,
        said.searches,
        plan.geo,
    )


def beside_of(done: Done) -> Beside | None:
    """What the API did beside the answer of a request that succeeded, and bills by itself."""
    plan, said = done.plan, done.answer
    assert plan is not None and said is not None and plan.model is not None, "only what succeeded is billed"  # noqa: PT018
    return beside(said.beside, plan.model.name, usage_of(done)) if said.beside else None


def message_of(done: Done, message_id: bytes) -> bytes:
    """The API's Message for a request that succeeded, as JSON."""
    plan, said, split = done.plan, done.answer, done.split
    assert plan is not None and said is not None and split is not None, "only what succeeded has one"  # noqa: PT018
    message = _MESSAGE % (
        plan.head,
        message_id,
        said.content,
        said.stop_reason,
        said.stop_details,
        split.uncached,
        split.write_5m + split.write_1h,
        split.read,
        split.write_5m,
        split.write_1h,
        said.output_tokens,
        said.thinking_tokens,
        plan.tail,
    )
    if not said.searches and not said.beside:
        return message
    return told_in_usage(message, said.searches, beside_of(done))


def last_text(messages: list[Message]) -> str:
    """The text the answer goes to: of the last message, its last text block."""
    content = messages[-1]["content"]
    if isinstance(content, str):
        return content
    return next((str(block["text"]) for block in reversed(content) if block["type"] == "text"), "")


def _plain_text(messages: object) -> str | None:
    """The text of messages that are what most are, one from the user; others take the long way."""
    if type(messages) is list and len(messages) == 1:
        message = messages[0]
        if type(message) is dict and message.get("role") == "user":
            content = message.get("content")
            if type(content) is str and content and not content.isspace():
                return content
    return None
