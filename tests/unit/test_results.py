"""What one line of results means for its item: every kind, every shape, and nothing breaks the reader."""

from __future__ import annotations

from typing import Any, cast, get_args

import orjson
import pytest
from anthropic.types import StopReason
from anthropic.types.beta import BetaStopReason
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from overnight_models.errors import BadOutput
from overnight_models.ledger.collect.arrivals import Arrival, Fate
from overnight_models.money.prices import load
from overnight_models.wire.judgement import ANY_OTHER, PROBLEMS, Check, Content
from overnight_models.wire.outcome import Outcome
from overnight_workers.stages.collect.results import read_result
from overnight_workers.stages.output_schema import check

PRICES = load()
MODEL = "claude-haiku-4-5"
# A line's worth of that model in a batch: 100 x $0.50 + 10 x $2.50 per million tokens.
NANO = 100 * 500 + 10 * 2500
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


SCHEMA = '{"type":"object","properties":{"title":{"type":"string"}},"required":["title"]}'
THOUGHT = {"type": "thinking", "thinking": "", "signature": "x"}
SEARCH = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
FOUND = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}


class Title(BaseModel):
    title: str


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


CONTENTS = {
    Content.FITS: [text("I look."), SEARCH, FOUND, text('{"title":"T"}')],
    Content.MISFIT: [text('{"name":"T"}')],
    Content.CALL: [text("I look."), {"type": "tool_use", "id": "toolu_1", "name": "lookup", "input": {}}],
    Content.NOTHING: [THOUGHT],
}


def message(text: str = "Hello", stop: str = "end_turn", **more: Any) -> dict[str, Any]:
    usage = {"input_tokens": 100, "output_tokens": 10}
    return {
        "model": MODEL, "content": [{"type": "text", "text": text}], "stop_reason": stop, "usage": usage, **more,
    }  # fmt: skip


def succeeded(check: Check | None = None, **more: Any) -> Arrival:
    return read_result(7, {"type": "succeeded", "message": message(**more)}, PRICES, check)


def errored(kind: str, *, nested: int = 2, words: str = "Oh", code: str | None = None) -> Arrival:
    error: dict[str, Any] = {"type": kind, "message": words}
    if code is not None:
        error["details"] = {"error_code": code}
    for _ in range(nested - 1):
        error = {"type": "error", "error": error}
    return read_result(7, {"type": "errored", "error": error}, PRICES, None)


def test_an_answer_succeeds_untouched_and_is_priced_by_the_model_that_served_it() -> None:
    arrival = succeeded()
    assert (arrival.fate, arrival.problem, arrival.billed) == (Fate.SUCCEED, None, True)
    assert orjson.loads(arrival.message or "") == message()
    assert (arrival.cost_nano, arrival.realtime_nano) == (NANO, 2 * NANO)
    assert (arrival.input_tokens, arrival.output_tokens, arrival.model) == (100, 10, MODEL)


def test_cached_tokens_are_told_apart() -> None:
    split = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4}
    arrival = succeeded(usage={"input_tokens": 1, "cache_creation": split, "cache_read_input_tokens": 5})
    assert (arrival.cache_write_5m_tokens, arrival.cache_write_1h_tokens, arrival.cache_read_tokens) == (3, 4, 5)


@pytest.mark.parametrize("kind", ["invalid_request_error", "not_found_error", "request_too_large"])
def test_an_error_that_would_come_again_is_final(kind: str) -> None:
    arrival = errored(kind)
    assert (arrival.fate, arrival.problem, arrival.retryable) == (Fate.FAIL_OWN, "errored", False)
    assert arrival.detail == f"{kind}: Oh"


@pytest.mark.parametrize(
    "kind", ["api_error", "overloaded_error", "rate_limit_error", "timeout_error", "an_error_of_tomorrow"]
)
def test_an_error_that_may_pass_is_tried_again(kind: str) -> None:
    arrival = errored(kind)
    assert (arrival.fate, arrival.problem, arrival.retryable) == (Fate.RETRY_OWN, "errored", True)


@pytest.mark.parametrize("kind", ["authentication_error", "billing_error", "permission_error"])
def test_money_and_permission_are_not_the_items_fault(kind: str) -> None:
    assert errored(kind).fate == Fate.WAIT_OWN


def test_a_code_about_the_account_is_not_the_items_fault_though_the_request_is_called_invalid() -> None:
    assert errored("invalid_request_error", code="workspace_human_review_disabled").fate == Fate.WAIT_OWN
    assert errored("invalid_request_error", code="image_dimensions_too_large").fate == Fate.FAIL_OWN


@pytest.mark.parametrize("nested", [1, 2, 3])
def test_an_error_is_found_however_deep_it_is_nested(nested: int) -> None:
    assert errored("not_found_error", nested=nested) == errored("not_found_error")


@pytest.mark.parametrize(("kind", "problem"), [("expired", "expired"), ("canceled", "canceled")])
def test_what_was_not_processed_is_tried_again_and_costs_nothing(kind: str, problem: str) -> None:
    arrival = read_result(7, {"type": kind}, PRICES, None)
    assert (arrival.fate, arrival.problem, arrival.billed) == (Fate.RETRY_OWN, problem, False)


def test_a_kind_of_tomorrow_is_tried_again() -> None:
    arrival = read_result(7, {"type": "postponed", "until": 5}, PRICES, None)
    assert (arrival.fate, arrival.detail) == (Fate.RETRY_OWN, "postponed")


@pytest.mark.parametrize(("category", "billed"), [("cyber", False), ("bio", True), (None, False), ("new", False)])
def test_a_refusal_before_any_output_is_billed_in_some_categories(category: str | None, billed: bool) -> None:
    details = {"category": category, "explanation": "No"}
    usage = {"input_tokens": 100, "output_tokens": 0}
    arrival = succeeded(stop="refusal", stop_details=details, usage=usage)
    assert (arrival.fate, arrival.problem, arrival.billed) == (Fate.FAIL, "refused", billed)
    assert ((arrival.cost_nano or 0) > 0) == billed
    assert arrival.detail == (f"{category}: No" if category else "No")


def test_a_refusal_in_the_middle_is_billed() -> None:
    arrival = succeeded(stop="refusal")
    assert (arrival.problem, arrival.billed, arrival.cost_nano) == ("refused", True, NANO)


@pytest.mark.parametrize("stop", [*PROBLEMS, "a_reason_of_tomorrow", None])
@pytest.mark.parametrize("content", CONTENTS)
def test_each_stop_reason_and_content_is_decided_by_the_table_and_parsed_alike(content: Content, stop: Any) -> None:
    arrival = succeeded(check(SCHEMA), stop=stop, content=CONTENTS[content])
    problem = PROBLEMS.get(stop, PROBLEMS[ANY_OTHER])[content]
    assert (arrival.problem, arrival.fate) == (problem, Fate.FAIL if problem else Fate.SUCCEED)
    assert (arrival.detail is None) == (problem is None)
    assert arrival.cost_nano == NANO
    word = None if problem is None else cast("Any", problem.value)
    outcome = Outcome("i", "k", "l", ok=problem is None, problem=word, message=orjson.loads(arrival.message or ""))
    if problem is None and content is not Content.CALL:
        assert outcome.parse(Title).title == "T"
    else:
        with pytest.raises(BadOutput, match="a call of lookup" if problem is None else str(problem)):
            outcome.parse(Title)


@pytest.mark.parametrize("stop", sorted({*get_args(StopReason), *get_args(BetaStopReason)}))
def test_every_stop_reason_of_the_sdk_stands_in_the_table(stop: str) -> None:
    assert stop in PROBLEMS


FITTING = {
    "one": [text('{"title":"T"}')],
    "after thinking": [THOUGHT, text('{"title":"T"}')],
    "in two blocks": [text('{"title":'), text('"T"}')],
    "in two blocks with a thought between": [text('{"title":'), THOUGHT, text('"T"}')],
    "after words and a search": [text("I look."), SEARCH, FOUND, text('{"title":'), text('"T"}')],
    "after words": [text("Here it is:"), text('{"title":"T"}')],
    "after two searches": [SEARCH, FOUND, text("Once more."), SEARCH, FOUND, text('{"title":"T"}'), text(" ")],
    "after a compaction": [{"type": "compaction", "content": "Summary"}, text('{"title":"T"}')],
}


@pytest.mark.parametrize("where", FITTING)
def test_the_text_that_fits_is_the_answer_wherever_it_stands(where: str) -> None:
    arrival = succeeded(check(SCHEMA), content=FITTING[where])
    assert arrival.fate == Fate.SUCCEED
    outcome = Outcome("i", "k", "l", ok=True, message=orjson.loads(arrival.message or ""))
    assert outcome.parse(Title).title == "T"


@pytest.mark.parametrize("content", [[], None, [text(""), text(" \n")], [THOUGHT], [SEARCH, FOUND], "x", [7]])
def test_an_answer_without_any_content_is_not_ok_with_and_without_a_schema(content: Any) -> None:
    for asked in (None, check(SCHEMA)):
        arrival = succeeded(asked, content=content)
        assert (arrival.problem, arrival.retryable) == ("invalid_output", True)
        assert "empty" in (arrival.detail or "")


@pytest.mark.parametrize("stop", ["max_tokens", "model_context_window_exceeded", "pause_turn"])
def test_an_answer_that_was_cut_off_is_paid_and_of_no_use(stop: str) -> None:
    arrival = succeeded(stop=stop)
    assert (arrival.fate, arrival.problem, arrival.cost_nano) == (Fate.FAIL, "cut_off", NANO)
    assert stop in (arrival.detail or "")


@pytest.mark.parametrize("stop", ["end_turn", "stop_sequence", "tool_use", "a_reason_of_tomorrow", None])
def test_any_other_end_is_an_answer(stop: Any) -> None:
    assert succeeded(stop=stop).fate == Fate.SUCCEED


def test_an_answer_that_does_not_fit_is_paid_and_of_no_use() -> None:
    arrival = succeeded(lambda text: f"{text} is wrong")
    assert (arrival.fate, arrival.problem, arrival.detail) == (Fate.FAIL, "invalid_output", "Hello is wrong")
    assert arrival.cost_nano == NANO
    assert succeeded(lambda _: None).fate == Fate.SUCCEED


def test_text_blocks_are_joined_before_they_are_checked() -> None:
    blocks = [{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert succeeded(lambda text: None if text == "ab" else text, content=blocks).problem is None
    assert succeeded(lambda text: text, content=blocks).detail == "b", "what is wrong with the last text"


@given(ANYTHING, st.sampled_from(["succeeded", "errored", "x", None]))
def test_no_error_of_any_shape_breaks_the_reader(error: object, kind: str | None) -> None:
    assert read_result(7, {"type": kind, "error": error}, PRICES, None).item_id == 7


@given(st.sampled_from(["model", "content", "stop_reason", "usage", "stop_details"]), ANYTHING, st.booleans())
def test_no_message_of_any_shape_breaks_the_reader(name: str, value: object, refused: bool) -> None:
    given = message(stop="refusal" if refused else "end_turn") | {name: value}
    result = orjson.loads(orjson.dumps({"type": "succeeded", "message": _as_orjson_reads(given)}))
    arrival = read_result(7, result, PRICES, lambda _: None)
    assert arrival.cost_nano is None or arrival.cost_nano >= 0


def test_what_has_no_price_costs_nobody_knows_what_and_not_nothing() -> None:
    result = {"type": "succeeded", "message": message() | {"model": "claude-tomorrow"}}
    arrival = read_result(7, result, PRICES, None)
    assert (arrival.billed, arrival.cost_nano, arrival.realtime_nano) == (True, None, None)


def test_a_message_without_anything_is_an_answer_of_no_use() -> None:
    arrival = read_result(7, {"type": "succeeded", "message": {}}, PRICES, lambda _: None)
    assert (arrival.fate, arrival.problem, arrival.billed) == (Fate.FAIL, "invalid_output", True)


def _as_orjson_reads(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_orjson_reads(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_as_orjson_reads(part) for part in value]
    return float(value) if isinstance(value, int) and abs(value) >= 2**63 else value
