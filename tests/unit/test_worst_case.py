"""The most that a request may cost, which a strict budget reserves."""

from __future__ import annotations

import re

import pytest

from overnight_models.money.prices import Usage, cost, load
from overnight_models.request.worst_case import ADDED_TOKENS, UNBOUNDED, WorstRate, worst_rates

PRICES = load()


def worst(name: str, prompt_tokens: int, output_tokens: int, *, batch: bool = True) -> int:
    model = PRICES.model(name)
    assert model is not None
    (rate,) = [r for r in worst_rates(model, batch=batch) if r.above_tokens < prompt_tokens <= r.up_to_tokens]
    return prompt_tokens * rate.input_nano + output_tokens * rate.output_nano


def test_a_batch_costs_half_and_all_of_the_prompt_may_be_written_for_an_hour_in_the_dearest_place() -> None:
    model = PRICES.model("claude-opus-5")  # $5 in, $10 for an hour's write, $25 out; 1.1 in the US
    assert model is not None
    assert worst_rates(model, batch=True) == [WorstRate(0, 2**31, 5_500, 13_750)]
    assert worst_rates(model, batch=False) == [WorstRate(0, 2**31, 11_000, 27_500)]


@pytest.mark.parametrize("batch", [True, False])
@pytest.mark.parametrize("name", PRICES.names())
@pytest.mark.parametrize("prompt", [1, 1_000, 100_000, 100_001, 900_000])
def test_no_usage_within_the_bounds_costs_more(name: str, prompt: int, batch: bool) -> None:
    model = PRICES.model(name)
    assert model is not None
    bound = worst(name, prompt, 4_000, batch=batch)
    for geography in (None, "us"):
        for usage in (
            Usage(input_tokens=prompt, output_tokens=4_000),
            Usage(write_1h_tokens=prompt, output_tokens=4_000),
            Usage(write_5m_tokens=prompt, output_tokens=4_000),
            Usage(cache_read_tokens=prompt, output_tokens=4_000),
        ):
            assert cost(model, usage._replace(inference_geo=geography), batch=batch) <= bound


def test_a_longer_prompt_has_its_own_rate() -> None:
    model = PRICES.model("claude-haiku-5-5")
    assert model is not None
    small, large = worst_rates(model, batch=True)
    assert (small.up_to_tokens, large.above_tokens) == (100_000, 100_000)
    assert large.input_nano >= small.input_nano


def test_what_the_api_adds_is_counted() -> None:
    assert ADDED_TOKENS >= 1_000


@pytest.mark.parametrize(
    ("params", "unbounded"),
    [
        ('{"messages":[{"role":"user","content":"hi"}]}', False),
        ('{"messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}', False),
        ('{"messages":[{"role":"user","content":"say \\"type\\": \\"image\\""}]}', False),
        ('{"tools":[{"name":"f","input_schema":{"type":"object","properties":{"type":{"type":"string"}}}}]}', False),
        ('{"messages":[{"content":[{"type":"tool_use","caller":{"type":"direct"},"input":{}}]}]}', False),
        ('{"messages":[{"content":[{"type":"tool_use","caller":{"type":"code_execution_20260120"}}]}]}', True),
        ('{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"aa"}}]}]}', True),
        ('{"messages":[{"content":[{"type" : "document","source":{"type":"url","url":"https://x"}}]}]}', True),
        ('{"tools":[{"type":"web_search_20260209","name":"web_search"}]}', True),
    ],
)
def test_what_bytes_do_not_bound_is_seen(params: str, unbounded: bool) -> None:
    assert bool(re.search(UNBOUNDED, params)) is unbounded
