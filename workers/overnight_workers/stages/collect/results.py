"""What one line of a batch's results means: pure functions from the API's JSON to an arrival, priced and judged.

Reading is lenient: an error that isn't nested twice, a missing counter, a stop reason that the API adds tomorrow.
"""

from __future__ import annotations

from typing import Any, Final

from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.money.prices import Model, Prices, Usage, both_costs, thinking_cost
from overnight_models.wire import exact_json
from overnight_models.wire.outcome import Problem
from overnight_workers.stages.output_schema import Check

_FINAL_ERRORS: Final = frozenset({"invalid_request_error", "not_found_error", "request_too_large"})
MONEY_ERRORS: Final = frozenset({"authentication_error", "billing_error", "permission_error"})
"""Nothing is counted against the item; its workspace is held."""

_CUT_OFF: Final = frozenset({"max_tokens", "model_context_window_exceeded", "pause_turn"})
_BILLED_REFUSALS: Final = frozenset({"bio", "frontier_llm", "reasoning_extraction"})


def read_result(item_id: int, result: dict[str, Any], prices: Prices, check: Check | None) -> Arrival:
    """One result as an arrival.

    result: the `result` object of the line.
    check: validates the answer's text; None when no schema was asked for.

    Raises ValueError when its message can't be written again.
    """
    kind = result.get("type")
    if kind == "succeeded" and isinstance(result.get("message"), dict):
        return _answered(item_id, result["message"], prices, check)
    if kind == "expired":
        return _again(item_id, Problem.EXPIRED, "no answer within the batch's 24 hours")
    if kind == "canceled":
        return _again(item_id, Problem.CANCELED, "canceled at the API before it was processed")
    error = _innermost(result.get("error"))
    name, detail = str(error.get("type", kind)), f"{error.get('type', kind)}: {error.get('message', '')}".rstrip(": ")
    if name in _FINAL_ERRORS:
        return Arrival(item_id, Fate.FAIL_OWN, problem=Problem.ERRORED, detail=detail)
    if name in MONEY_ERRORS:
        return Arrival(item_id, Fate.WAIT_OWN, problem=Problem.ERRORED, detail=detail, retryable=True)
    return _again(item_id, Problem.ERRORED, detail)


def _again(item_id: int, problem: Problem, detail: str) -> Arrival:
    return Arrival(item_id, Fate.RETRY_OWN, problem=problem, detail=detail, retryable=True)


def _innermost(error: object) -> dict[str, Any]:
    """The error itself: the API nests it twice, some proxies once."""
    found = _object(error)
    while isinstance(found.get("error"), dict):
        found = found["error"]
    return found


def _answered(item_id: int, message: dict[str, Any], prices: Prices, check: Check | None) -> Arrival:
    problem, detail = _problem(message, check)
    told = message.get("usage")
    usage = Usage.of(told)
    name = str(message.get("model", ""))
    model = prices.model(name)
    billed = _is_billed(message)
    cost_nano, realtime_nano = _costs(model, usage) if billed else (0, 0)
    return Arrival(
        item_id,
        Fate.SUCCEED if problem is None else Fate.FAIL,
        problem=problem,
        detail=detail,
        retryable=problem in (Problem.CUT_OFF, Problem.INVALID_OUTPUT),
        message=exact_json.dumps(message),
        usage=told,
        model=name,
        billed=billed,
        input_tokens=usage.input_tokens,
        cache_write_5m_tokens=usage.write_5m_tokens,
        cache_write_1h_tokens=usage.write_1h_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        output_tokens=usage.output_tokens,
        thinking_tokens=usage.thinking_tokens,
        cost_nano=cost_nano,
        realtime_nano=realtime_nano,
        thinking_nano=thinking_cost(model, usage) if usage.thinking_tokens and model and billed else 0,
    )


def _costs(model: Model | None, usage: Usage) -> tuple[int, int] | tuple[None, None]:
    return (None, None) if model is None else both_costs(model, usage)


def _problem(message: dict[str, Any], check: Check | None) -> tuple[Problem | None, str | None]:
    stop = str(message.get("stop_reason"))
    if stop == "refusal":
        details = _object(message.get("stop_details"))
        words = [str(details[name]) for name in ("category", "explanation") if details.get(name)]
        return Problem.REFUSED, ": ".join(words) or "the model refused to answer"
    if stop in _CUT_OFF:
        return Problem.CUT_OFF, f"the answer is incomplete: {stop}"
    if check is not None:
        wrong = check(_text(message.get("content")))
        if wrong is not None:
            return Problem.INVALID_OUTPUT, wrong
    return None, None


def _is_billed(message: dict[str, Any]) -> bool:
    """A refusal before any output is billed in some categories only (release notes of 2026-09-24)."""
    if message.get("stop_reason") != "refusal" or _object(message.get("usage")).get("output_tokens"):
        return True
    return str(_object(message.get("stop_details")).get("category")) in _BILLED_REFUSALS


def _text(content: object) -> str:
    """The text blocks, joined."""
    blocks = map(_object, content) if isinstance(content, list) else ()
    return "".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
