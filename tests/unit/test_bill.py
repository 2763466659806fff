"""What an answer is billed for when the API did more than answer: arithmetic done by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.money.bill import bill_of
from overnight_models.money.prices import Prices, Usage, both_costs, load

PRICES = load()
COMPACTED: dict[str, Any] = {
    "input_tokens": 23_000,
    "output_tokens": 1_000,
    "iterations": [
        {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
        {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
    ],
}
COUNT = st.integers(0, 10**6)
TURNS = st.lists(st.tuples(COUNT, COUNT, COUNT), min_size=1, max_size=4)


def billed(usage: Any, model: str = "claude-sonnet-5", prices: Prices = PRICES) -> tuple[int | None, int | None]:
    bill = bill_of({"model": model, "usage": usage}, prices)
    return bill.cost_nano, bill.realtime_nano


def test_a_compaction_is_billed_beside_the_answer() -> None:
    # (180,000 x $2 + 3,500 x $10 + 23,000 x $2 + 1,000 x $10) per million: $0.451, in a batch the half.
    assert billed(COMPACTED) == (225_500_000, 451_000_000)
    assert bill_of({"model": "claude-sonnet-5", "usage": COMPACTED}, PRICES).usage == Usage(
        203_000, output_tokens=4_500
    )


def test_an_advisor_is_billed_by_its_own_model() -> None:
    advice = {"type": "advisor_message", "model": "claude-opus-5-5", "input_tokens": 1_000, "output_tokens": 100}
    usage = {"input_tokens": 100, "output_tokens": 10, "iterations": [advice]}
    # 100 x $1 + 10 x $5, and 1,000 x $4 + 100 x $20, per million.
    assert billed(usage, "claude-haiku-4-5-20251001") == (75_000 + 3_000_000, 150_000 + 6_000_000)


def test_an_advisor_without_a_price_leaves_the_cost_unknown_and_not_too_low() -> None:
    advice = {"type": "advisor_message", "model": "claude-tomorrow", "input_tokens": 1_000, "output_tokens": 100}
    assert billed({"input_tokens": 100, "iterations": [advice]}) == (None, None)


def test_turns_of_one_request_are_sized_together_and_a_compaction_by_itself() -> None:
    turns = [{"type": "message", "input_tokens": 60_000, "output_tokens": 0}] * 2
    compaction = {"type": "compaction", "input_tokens": 90_000, "output_tokens": 0}
    usage = {"input_tokens": 120_000, "output_tokens": 0, "iterations": [compaction, *turns]}
    # 120,000 x $0.50 and 90,000 x $0.10 per million.
    assert billed(usage, "claude-haiku-5-5") == (30_000_000 + 4_500_000, 60_000_000 + 9_000_000)


def test_half_a_nanodollar_goes_up_once_for_all_that_worked_on_an_answer() -> None:
    write = {"cache_creation_input_tokens": 1, "input_tokens": 0, "output_tokens": 0}
    usage = write | {"iterations": [{"type": "compaction", **write}, {"type": "message", **write}]}
    assert billed(write, "claude-haiku-5-5") == (63, 125)  # 62.5
    assert billed(usage, "claude-haiku-5-5") == (125, 250)


def test_geography_is_of_every_part_and_searches_are_billed_once() -> None:
    usage = COMPACTED | {"inference_geo": "us", "server_tool_use": {"web_search_requests": 2}}
    assert billed(usage) == (round(225_500_000 * 1.1) + 20_000_000, round(451_000_000 * 1.1) + 20_000_000)


def test_thinking_is_a_part_of_the_requests_own_turns() -> None:
    usage = COMPACTED | {"output_tokens_details": {"thinking_tokens": 400}}
    bill = bill_of({"model": "claude-sonnet-5", "usage": usage}, PRICES)
    assert (bill.thinking_nano, bill.usage.thinking_tokens, bill.cost_nano) == (400 * 5_000, 400, 225_500_000)


@given(TURNS, st.sampled_from(PRICES.names()), st.booleans())
def test_turns_alone_cost_what_the_counters_at_the_top_say(
    turns: list[tuple[int, int, int]], name: str, named: bool
) -> None:
    keys = ("input_tokens", "cache_read_input_tokens", "output_tokens")
    more = {"model": name} if named else {}
    counted = [dict(zip(keys, turn, strict=True)) for turn in turns]
    entries = [{"type": "message", **more, **turn} for turn in counted]
    top: dict[str, Any] = {key: sum(turn[key] for turn in counted) for key in keys}
    model = PRICES.model(name)
    assert model is not None
    assert billed(top | {"iterations": entries}, name) == billed(top, name) == both_costs(model, Usage.of(top))


@pytest.mark.parametrize("odd", [None, [], {}, 7, "x", [None, 7, "x", []], [{}], [{"type": 7, "model": 7}]])
def test_a_list_of_no_use_leaves_the_counters_at_the_top(odd: Any) -> None:
    top = {"input_tokens": 100, "output_tokens": 10}
    assert billed(top | {"iterations": odd}) == billed(top)
