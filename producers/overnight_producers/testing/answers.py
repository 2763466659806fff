"""Answers as a test gives them, and the outcomes that come of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, TypeAlias

from pydantic import BaseModel

from overnight_models import exact_json
from overnight_models.money.bill import bill_of
from overnight_models.money.prices import Prices, load
from overnight_models.wire.judgement import problem_of
from overnight_models.wire.outcome import Problem, ProblemName, dollars
from overnight_producers.testing import schema
from overnight_producers.testing.deliveries import delivery_id
from overnight_producers.testing.items import Enqueued


@dataclass(frozen=True)
class Failure:
    """An outcome that isn't of use.

    detail: more about it; None: what Overnight says in that case.

    Raises ValueError when there is no such problem.
    """

    problem: ProblemName
    detail: str | None = None

    def __post_init__(self) -> None:
        known = [problem.value for problem in Problem]
        if self.problem not in known:
            raise ValueError(f"{self.problem!r} is no problem of an outcome: there are {', '.join(known)}")


Answer: TypeAlias = str | Mapping[str, object] | list[object] | BaseModel | Failure
"""What comes back for an item: a text; JSON, as an object, a list or a pydantic model; a Message of the API, as a dict
with `content`; blocks of its content, each with a `type`; or what went wrong."""

_RETRYABLE: Final = frozenset({"cut_off", "invalid_output", "errored", "expired", "canceled", "given_up"})
_DETAILS: Final[Mapping[str, str]] = {
    "errored": "api_error: Internal server error",
    "expired": "no answer within the batch's 24 hours",
    "canceled": "taken back before it was sent",
    "rejected": "invalid_request_error: the request is invalid",
    "too_long": "its prompt has more tokens than its lane takes: shorten it, or raise the lane's max_input_tokens",
    "too_late": "it wasn't sent before its `give_up_at`",
    "over_budget": "what its trace may cost has no room for it",
    "given_up": "its result never came",
}


def read_answer(item: Enqueued, answer: Answer | None) -> dict[str, object]:
    """What of an outcome the answer decides.

    answer: None: one that is made of the schema, or a text.

    Raises AssertionError when a useful answer is meant and it wouldn't be one.
    """
    if isinstance(answer, Failure):
        return _failed(item, answer)
    message = _message(item, answer)
    problem, detail = problem_of(message, lambda text: _misfit(item, text) if item.output else None)
    if problem is not None and not _is_message(answer):
        raise AssertionError(
            f"this answer to {item.key!r} would be {problem}: {detail}."
            f" Where that is meant, deliver Failure('{problem}')"
        )
    return _judged(message, problem, detail)


def _failed(item: Enqueued, failure: Failure) -> dict[str, object]:
    problem = Problem(failure.problem)
    if problem is Problem.REFUSED:
        message = _written(item, [], "refusal")
    elif problem is Problem.CUT_OFF:
        message = _written(item, [{"type": "text", "text": '{"an answer without its e'}], "max_tokens")
    elif problem is Problem.INVALID_OUTPUT:
        message = _written(item, [{"type": "text", "text": "This isn't what was asked for."}] if item.output else [])
    else:
        detail = failure.detail or _DETAILS[problem]
        return {"ok": False, "problem": problem.value, "detail": detail, "retryable": problem in _RETRYABLE}
    judged, why = problem_of(message, lambda text: _misfit(item, text) if item.output else None)
    return _judged(message, judged, failure.detail or why)


def _judged(message: dict[str, object], problem: Problem | None, detail: str | None) -> dict[str, object]:
    bill = bill_of(message, _prices())
    return {
        "ok": problem is None,
        "problem": None if problem is None else problem.value,
        "detail": detail,
        "retryable": problem is not None and problem in _RETRYABLE,
        "message": message,
        "model": message.get("model"),
        "usage": message.get("usage"),
        "cost_usd": None if bill.cost_nano is None else dollars(bill.cost_nano),
        "realtime_cost_usd": None if bill.realtime_nano is None else dollars(bill.realtime_nano),
    }


def _message(item: Enqueued, answer: Answer | None) -> dict[str, object]:
    """The API's Message."""
    if answer is None:
        answer = "A made-up answer." if item.output is None else exact_json.dumps(schema.fitting(item.output)).decode()
    if isinstance(answer, BaseModel):
        answer = answer.model_dump_json()
    if isinstance(answer, Mapping) and _is_message(answer):
        content = answer["content"]
        return {**_written(item, content if isinstance(content, list) else []), **answer}
    if isinstance(answer, list) and answer and all(isinstance(b, dict) and "type" in b for b in answer):
        return _written(item, answer)
    text = answer if isinstance(answer, str) else exact_json.dumps(answer).decode()
    return _written(item, [{"type": "text", "text": text}])


def _is_message(answer: object) -> bool:
    return isinstance(answer, Mapping) and isinstance(answer.get("content"), list) and "stop_reason" in answer


def _written(item: Enqueued, content: list[object], stop_reason: str | None = None) -> dict[str, object]:
    calls = any(isinstance(block, dict) and block.get("type") == "tool_use" for block in content)
    return {
        "id": f"msg_test_{item.item_id[:8]}",
        "type": "message",
        "role": "assistant",
        "model": str(item.params.get("model", "claude-haiku-5-5")),
        "content": content,
        "stop_reason": stop_reason or ("tool_use" if calls else "end_turn"),
        "stop_sequence": None,
        "usage": {
            "input_tokens": 1 + len(exact_json.dumps(item.params)) // 4,
            "output_tokens": len(exact_json.dumps(content)) // 4 if content else 0,
        },
    }


def _misfit(item: Enqueued, text: str) -> str | None:
    """What of an answer's text doesn't fit the schema that was asked for."""
    try:
        value = exact_json.loads(text)
    except ValueError as error:
        return f"the answer isn't JSON: {error}"
    return schema.fault(item.output, value)


@cache
def _prices() -> Prices:
    return load()


def finish(item: Enqueued, said: Mapping[str, object], finished_at: datetime) -> None:
    """Give the item its outcome. said: what isn't the item's own, as `read_answer` has it."""
    item.document = {**_NOTHING, **said, **_own_fields(item, finished_at)}
    item.state = "succeeded" if item.document["ok"] else "canceled" if said.get("problem") == "canceled" else "failed"


_NOTHING: Final[dict[str, object]] = {
    "ok": False,
    "message": None,
    "model": None,
    "usage": None,
    "cost_usd": "0",
    "realtime_cost_usd": "0",
}
"""What an outcome says that has no answer."""


def _own_fields(item: Enqueued, finished_at: datetime) -> dict[str, object]:
    """What an outcome says of its item."""
    deadline = None if item.deadline is None else datetime.fromisoformat(item.deadline)
    return {
        "v": 1,
        "item_id": item.item_id,
        "key": item.key,
        "lane": item.lane,
        "tenant": item.tenant,
        "run": item.run,
        "delivery_id": delivery_id(item),
        "model_why": None,
        "earlier_cost_usd": "0",
        "cut": None,
        "attempts": 1 + item.redos,
        "via": "batch",
        "batch_id": f"msgbatch_test_{item.item_id[:8]}",
        "enqueued_at": item.enqueued_at,
        "finished_at": finished_at.isoformat(),
        "deadline": item.deadline,
        "late_s": None if deadline is None else max(round((finished_at - deadline).total_seconds(), 1), 0.0),
        "trace_id": item.trace_id,
    }
