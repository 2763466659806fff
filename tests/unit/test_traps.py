"""Known traps of each model are told before a batch is paid for; the sandbox has the same opinion."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from overnight_models.money.prices import Model, load
from overnight_models.money.rate_limits import message_limits, pool
from overnight_models.request.traps import LONG_OUTPUT_BETA, kind, price_ending, retirement, traps, traps_now
from overnight_workers.sandbox.answers.checks import Terms, problem_of_messages, problem_of_rest

PRICES = load()


def model(name: str) -> Model:
    known_model = PRICES.model(name)
    assert known_model is not None
    return known_model


def asking(**more: Any) -> dict[str, Any]:
    return {"max_tokens": 2_000, "messages": [{"role": "user", "content": "hi"}], **more}


TOOLS = [{"name": "paint", "input_schema": {"type": "object"}}]
SHAPES: dict[str, dict[str, Any]] = {
    "forced_tools": {"tools": TOOLS, "tool_choice": {"type": "any"}},
    "thinking_enabled": {"thinking": {"type": "enabled", "budget_tokens": 1_024}},
    "thinking_disabled": {"thinking": {"type": "disabled"}},
    "prefill": {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "So"}]},
    "max_tokens": {"max_tokens": 128_001},
    "inference_geo": {"inference_geo": "mars"},
}


@pytest.mark.parametrize("name", PRICES.names())
@pytest.mark.parametrize("shape", [None, *SHAPES])
def test_a_trap_is_what_comes_back_as_an_error(name: str, shape: str | None) -> None:
    known_model = model(name)
    params = asking(model=name, **SHAPES.get(shape or "", {}))
    before_any_ended = 1_700_000_000_000_000
    terms = Terms(PRICES, batch=True, strict=True, betas=frozenset(), now_us=before_any_ended)
    rest = {key: value for key, value in params.items() if key != "messages"}
    problem = problem_of_rest(rest, terms) or problem_of_messages(params["messages"], known_model, strict=True)
    names = {trap.name for trap in traps(params, known_model)} & set(SHAPES)
    assert names == ({shape} if problem else set())


def test_a_beta_raises_the_largest_output() -> None:
    params = asking(max_tokens=300_000)
    assert [trap.name for trap in traps(params, model("claude-opus-5"))] == ["max_tokens"]
    assert traps(params, model("claude-opus-5"), betas=[LONG_OUTPUT_BETA]) == []
    assert [trap.name for trap in traps(params, model("claude-haiku-4-5"), betas=[LONG_OUTPUT_BETA])] == ["max_tokens"]


def test_haiku_thinks_unless_told_not_to() -> None:
    haiku = model("claude-haiku-5-5")
    (trap,) = traps(asking(max_tokens=256), haiku)
    assert (trap.name, "spends max_tokens" in trap.text) == ("thinks_unasked", True)
    assert traps(asking(max_tokens=256, thinking={"type": "disabled"}), haiku) == []
    assert traps(asking(max_tokens=4_000), haiku) == []


def test_what_costs_beside_tokens_is_said() -> None:
    searching = asking(tools=[{"type": "web_search_20250305", "name": "web_search"}])
    (trap,) = traps(searching, model("claude-opus-5"))
    assert "10 dollars per 1,000" in trap.text


@pytest.mark.parametrize("odd", [{}, {"messages": 7, "tools": "x", "thinking": [], "max_tokens": "many"}])
def test_what_cannot_be_read_is_no_trap(odd: dict[str, Any]) -> None:
    for name in PRICES.names():
        assert {trap.name for trap in traps(odd, model(name))} <= {"thinks_unasked", "retention"}


def test_a_model_that_ends_before_the_work_is_done() -> None:
    sonnet, now = model("claude-sonnet-4-5"), date(2026, 11, 25)
    assert retirement(sonnet, now, date(2026, 11, 29)) is None
    ends = retirement(sonnet, now, date(2026, 12, 1))
    assert ends is not None
    assert ends.text == "claude-sonnet-4-5 ends on 2026-11-30, in 5 days: what waits then fails"
    last_day = retirement(sonnet, date(2026, 11, 30), date(2026, 12, 1))
    assert last_day is not None
    assert ", today:" in last_day.text
    ended = retirement(sonnet, date(2026, 12, 1), date(2026, 12, 1))
    assert ended is not None
    assert ended.name == "retired"
    assert retirement(model("claude-opus-5"), now, date(2099, 1, 1)) is None


def test_a_price_that_ends_before_the_work_is_done() -> None:
    opus = replace(model("claude-opus-5"), price_ends=date(2027, 1, 31))
    assert price_ending(opus, date(2027, 1, 31)) is None
    ending = price_ending(opus, date(2027, 2, 1))
    assert ending is not None
    assert ending.text.startswith("the price of claude-opus-5 is known until 2027-01-31")
    assert [trap.name for trap in traps_now({}, opus, date(2027, 1, 30))] == ["price_ends"]
    assert traps_now({}, opus, date(2027, 1, 29)) == []
    assert price_ending(model("claude-opus-5"), date(2099, 1, 1)) is None


def test_models_share_pools_of_limits_as_the_api_says() -> None:
    assert pool("claude-opus-4-8") == pool("claude-opus-4-5") != pool("claude-opus-5")
    assert pool("claude-opus-5") != pool("claude-opus-5-5")
    assert pool("claude-sonnet-4-6") == pool("claude-sonnet-4-5")
    assert pool("claude-fable-5") == pool("claude-fable-5-2")
    assert message_limits("claude-fable-5-1", "build").output_tokens == 300_000
    assert message_limits("claude-haiku-5-5", "scale").requests == 10_000


@pytest.mark.parametrize("name", ["claude-haiku-5-5", "claude-opus-5-5", "claude-sonnet-4-5", "claude-fable-5-1"])
def test_requests_of_one_kind_walk_into_the_same_traps(name: str) -> None:
    tools = [None, TOOLS, [{"type": "web_search_20260209", "name": "web_search"}]]
    seen: dict[object, list[str]] = {}
    for shape in ({}, *SHAPES.values()):
        for max_tokens in (500, 2_000, 200_000):
            for tool in tools:
                for betas in ((), (LONG_OUTPUT_BETA,)):
                    params = (
                        asking(model=name, **({"tools": tool} if tool else {})) | {"max_tokens": max_tokens} | shape
                    )
                    texts = [trap.text for trap in traps(params, model(name), betas=betas)]
                    assert seen.setdefault(kind(params, betas), texts) == texts
    assert len(seen) > 20
