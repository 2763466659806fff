"""What one line of a batch's results means: pure functions from the API's JSON to an arrival, priced and judged.

Reading is lenient: an error that isn't nested twice, a missing counter, a stop reason that the API adds tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from overnight_models import exact_json
from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.money.bill import bill_of
from overnight_models.money.prices import Prices
from overnight_models.wire.judgement import Check, problem_of
from overnight_models.wire.outcome import Problem
from overnight_workers.stages.protocol import is_about_the_caller

_FINAL_ERRORS: Final = frozenset({"invalid_request_error", "not_found_error", "request_too_large"})
MONEY_ERRORS: Final = frozenset({"authentication_error", "billing_error", "permission_error"})
"""Nothing is counted against the item; its workspace is held."""


_BILLED_REFUSALS: Final = frozenset({"bio", "frontier_llm", "reasoning_extraction"})


def read_result(
    item_id: int, result: Mapping[str, object], prices: Prices, check: Check | None, *, batch: bool = True
) -> Arrival:
    """One result as an arrival.

    result: the `result` object of the line.
    check: validates the answer's text; None when no schema was asked for.
    batch: whether it is priced as one of a batch, or in real time.

    Raises ValueError when its message can't be written again.
    """
    kind = result.get("type")
    message = result.get("message")
    if kind == "succeeded" and isinstance(message, dict):
        return _answered(item_id, message, prices, check, batch=batch)
    if kind == "expired":
        return _again(item_id, Problem.EXPIRED, "no answer within the batch's 24 hours")
    if kind == "canceled":
        return _again(item_id, Problem.CANCELED, "canceled at the API before it was processed")
    error = _innermost(result.get("error"))
    name, detail = str(error.get("type", kind)), f"{error.get('type', kind)}: {error.get('message', '')}".rstrip(": ")
    if name in MONEY_ERRORS or is_about_the_caller(_object(error.get("details")).get("error_code")):
        return Arrival(item_id, Fate.WAIT_OWN, problem=Problem.ERRORED, detail=detail, retryable=True)
    if name in _FINAL_ERRORS:
        return Arrival(item_id, Fate.FAIL_OWN, problem=Problem.ERRORED, detail=detail)
    return _again(item_id, Problem.ERRORED, detail)


def _again(item_id: int, problem: Problem, detail: str) -> Arrival:
    return Arrival(item_id, Fate.RETRY_OWN, problem=problem, detail=detail, retryable=True)


def _innermost(error: object) -> dict[str, object]:
    """The error itself: the API nests it twice, some proxies once."""
    inner = _object(error)
    while isinstance(deeper := inner.get("error"), dict):
        inner = deeper
    return inner


def _answered(item_id: int, message: dict[str, object], prices: Prices, check: Check | None, *, batch: bool) -> Arrival:
    problem, detail = problem_of(message, check)
    billed = _is_billed(message)
    bill = bill_of(message, prices, batch=batch)
    counters, usage = message.get("usage"), bill.usage
    # in the order of its fields: with their names it takes twice as long, for each item
    return Arrival(
        item_id,
        Fate.SUCCEED if problem is None else Fate.FAIL,
        problem,
        detail,
        problem in (Problem.CUT_OFF, Problem.INVALID_OUTPUT),
        exact_json.dumps(message),
        False,
        None if counters is None else exact_json.dumps(counters),
        str(message.get("model", "")),
        billed,
        False,
        usage.input_tokens,
        usage.write_5m_tokens,
        usage.write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        usage.thinking_tokens,
        bill.cost_nano if billed else 0,
        bill.realtime_nano if billed else 0,
        bill.thinking_nano if billed else 0,
    )


def _is_billed(message: dict[str, object]) -> bool:
    """A refusal before any output is billed in some categories only (release notes of 2026-09-24)."""
    if message.get("stop_reason") != "refusal" or _object(message.get("usage")).get("output_tokens"):
        return True
    return str(_object(message.get("stop_details")).get("category")) in _BILLED_REFUSALS


def _object(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
