"""The price list and the sums made from it, against arithmetic done by hand."""

import re
from datetime import date, datetime
from fractions import Fraction
from pathlib import Path
from typing import get_args

import pytest
from anthropic._data.deprecated_models import DEPRECATED_MODELS
from anthropic.types import ModelParam
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.money.prices import Model, PricesInvalid, Usage, cost, load

PRICES = load()
# Dollars per million tokens: input, 5-minute write, 1-hour write, cache read, output; in and out in a batch.
PUBLISHED = {
    "claude-fable-5-2": (8, 10, 16, 0.20, 40, 4, 20),
    "claude-mythos-5-2": (8, 10, 16, 0.20, 40, 4, 20),
    "claude-fable-5-1": (10, 12.50, 20, 0.25, 50, 5, 25),
    "claude-mythos-5-1": (10, 12.50, 20, 0.25, 50, 5, 25),
    "claude-fable-5": (10, 12.50, 20, 1.00, 50, 5, 25),
    "claude-mythos-5": (10, 12.50, 20, 1.00, 50, 5, 25),
    "claude-opus-5-5": (4, 5, 8, 0.20, 20, 2, 10),
    "claude-opus-5": (5, 6.25, 10, 0.50, 25, 2.50, 12.50),
    "claude-opus-4-8": (5, 6.25, 10, 0.50, 25, 2.50, 12.50),
    "claude-opus-4-7": (5, 6.25, 10, 0.50, 25, 2.50, 12.50),
    "claude-opus-4-6": (5, 6.25, 10, 0.50, 25, 2.50, 12.50),
    "claude-opus-4-5": (5, 6.25, 10, 0.50, 25, 2.50, 12.50),
    "claude-sonnet-5-5": (2, 2.50, 4, 0.10, 10, 1, 5),
    "claude-sonnet-5": (2, 2.50, 4, 0.20, 10, 1, 5),
    "claude-sonnet-4-6": (3, 3.75, 6, 0.30, 15, 1.50, 7.50),
    "claude-sonnet-4-5": (3, 3.75, 6, 0.30, 15, 1.50, 7.50),
    "claude-haiku-5-5": (0.10, 0.125, 0.20, 0.01, 0.50, 0.05, 0.25),
    "claude-haiku-4-5": (1, 1.25, 2, 0.10, 5, 0.50, 2.50),
}
#: The SDK names it, no page says what it costs, and it has ended.
WITHOUT_A_PRICE = {"claude-mythos-preview"}
MILLION = 1_000_000
DOLLAR = 1_000_000_000


def model(name: str) -> Model:
    known_model = PRICES.model(name)
    assert known_model is not None
    return known_model


@pytest.mark.parametrize("name", PUBLISHED)
def test_rates_are_the_published_ones(name: str) -> None:
    rates = model(name).rates
    nano = [rates.input, rates.write_5m, rates.write_1h, rates.cache_read, rates.output]
    assert nano == [round(dollars * 1000) for dollars in PUBLISHED[name][:5]]


@pytest.mark.parametrize("name", sorted(PUBLISHED.keys() - {"claude-haiku-5-5"}))
def test_a_million_tokens_cost_what_the_page_says(name: str) -> None:
    known_model = model(name)
    published = PUBLISHED[name]
    assert cost(known_model, Usage(input_tokens=MILLION), batch=False) == published[0] * DOLLAR
    assert cost(known_model, Usage(output_tokens=MILLION), batch=False) == published[4] * DOLLAR
    assert cost(known_model, Usage(input_tokens=MILLION), batch=True) == published[5] * DOLLAR
    assert cost(known_model, Usage(output_tokens=MILLION), batch=True) == published[6] * DOLLAR


def test_a_product_description_with_haiku() -> None:
    # 1,200 x $0.10 + 150 x $0.50 per million = 120,000 + 75,000 nano-dollars.
    usage = Usage(input_tokens=1200, output_tokens=150)
    assert cost(model("claude-haiku-5-5"), usage, batch=False) == 195_000
    assert cost(model("claude-haiku-5-5"), usage, batch=True) == 97_500


def test_a_cached_contract_with_sonnet() -> None:
    # Written: 20,000 x $4 = 80,000,000. Rest: 300 x $2 = 600,000. Answer: 400 x $10 = 4,000,000. Half of it all.
    written = Usage(input_tokens=300, write_1h_tokens=20_000, output_tokens=400)
    assert cost(model("claude-sonnet-5-5"), written, batch=True) == 42_300_000
    # Read: 20,000 x $0.10 = 2,000,000.
    read = Usage(input_tokens=300, cache_read_tokens=20_000, output_tokens=400)
    assert cost(model("claude-sonnet-5-5"), read, batch=True) == 3_300_000
    # Sonnet 5 reads at 0.1x, not 0.05x.
    assert cost(model("claude-sonnet-5"), read, batch=True) == 4_300_000


def test_a_long_prompt_moves_the_whole_request_up_a_row() -> None:
    haiku = model("claude-haiku-5-5")
    at_most = Usage(input_tokens=40_000, cache_read_tokens=60_000, output_tokens=1000)
    # 40,000 x 100 + 60,000 x 10 + 1,000 x 500.
    assert cost(haiku, at_most, batch=False) == 5_100_000
    beyond = Usage(input_tokens=40_001, cache_read_tokens=60_000, output_tokens=1000)
    # 40,001 x 500 + 60,000 x 50 + 1,000 x 2,500.
    assert cost(haiku, beyond, batch=False) == 25_500_500
    assert cost(haiku, beyond, batch=True) == 12_750_250


def test_geography_raises_every_token_and_no_search() -> None:
    usage = Usage(input_tokens=1000, output_tokens=100, web_search_requests=3, inference_geo="us")
    # (1,000 x 5,000 + 100 x 25,000) x 1.1 / 2 + 3 x 10,000,000.
    assert cost(model("claude-opus-5"), usage, batch=True) == 34_125_000
    # Older models know no geography: x 1, whatever the answer says.
    assert cost(model("claude-opus-4-5"), usage, batch=True) == 33_750_000
    for elsewhere in ("global", "not_available"):
        usage = Usage(input_tokens=1000, inference_geo=elsewhere)
        assert cost(model("claude-opus-5"), usage, batch=False) == 5_000_000


def test_half_a_nanodollar_goes_up_once_per_answer() -> None:
    haiku = model("claude-haiku-5-5")
    # 1 x 125 / 2 = 62.5
    assert cost(haiku, Usage(write_5m_tokens=1), batch=True) == 63
    # (1 x 125 + 1 x 10) x 1.1 / 2 = 74.25
    assert cost(haiku, Usage(write_5m_tokens=1, cache_read_tokens=1, inference_geo="us"), batch=True) == 74
    # 3 x 125 / 2 = 187.5: rounded together, not each.
    assert cost(haiku, Usage(write_5m_tokens=3), batch=True) == 188


@given(
    st.builds(
        Usage,
        *[st.integers(0, 10**9)] * 5,
        st.just(0),
        st.integers(0, 100),
        st.sampled_from([None, "us", "global"]),
    ),
    st.sampled_from(PRICES.names()),
    st.booleans(),
)
def test_the_sum_is_exact(usage: Usage, name: str, batch: bool) -> None:
    known_model = model(name)
    rates = known_model.rates_for(usage.prompt_tokens)
    exact = Fraction(
        rates.input * usage.input_tokens
        + rates.write_5m * usage.write_5m_tokens
        + rates.write_1h * usage.write_1h_tokens
        + rates.cache_read * usage.cache_read_tokens
        + rates.output * usage.output_tokens
    )
    exact *= Fraction(1, 2) if batch else 1
    exact *= Fraction(11, 10) if usage.inference_geo == "us" and known_model.geography else 1
    nano = cost(known_model, usage, batch=batch) - 10_000_000 * usage.web_search_requests
    assert Fraction(-1, 2) < nano - exact <= Fraction(1, 2)


def test_usage_is_read_leniently() -> None:
    assert Usage.of({}) == Usage.of(None) == Usage()
    assert Usage.of({"input_tokens": None, "output_tokens": "7", "cache_creation": None}) == Usage()
    assert Usage.of({"cache_creation_input_tokens": 100}) == Usage(write_5m_tokens=100)
    split = {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 90}
    both = {"cache_creation_input_tokens": 100, "cache_creation": split}
    assert Usage.of(both) == Usage.of({"cache_creation": split}) == Usage(write_5m_tokens=10, write_1h_tokens=90)
    whole = {
        "input_tokens": 1,
        "cache_read_input_tokens": 2,
        "output_tokens": 3,
        "server_tool_use": {"web_search_requests": 4},
        "inference_geo": "us",
        "service_tier": "batch",
        "added_tomorrow": {},
    }
    assert Usage.of(whole) == Usage(1, 0, 0, 2, 3, 0, 4, "us")
    thought = {"input_tokens": 1, "output_tokens": 9, "output_tokens_details": {"thinking_tokens": 7}}
    assert Usage.of(thought) == Usage(input_tokens=1, output_tokens=9, thinking_tokens=7)


def test_names_and_aliases() -> None:
    assert PRICES.model("claude-haiku-4-5-20251001") is PRICES.model("claude-haiku-4-5")
    assert PRICES.model("claude-haiku-4.5") is None
    assert PRICES.near("claude-haiku-4.5")[0] == "claude-haiku-4-5"
    assert PRICES.near("gpt") == []
    assert set(PUBLISHED) < set(PRICES.names())
    assert model("claude-sonnet-4-5").end_of_life == date(2026, 11, 30)
    assert model("claude-opus-5").end_of_life is None


def test_every_model_ends_when_the_sdk_says() -> None:
    for name, words in DEPRECATED_MODELS.items():
        if name not in WITHOUT_A_PRICE:
            day = datetime.strptime(re.sub(r"(?<=\d)(st|nd|rd|th)\b", "", words), "%B %d, %Y").date()  # noqa: DTZ007
            assert model(name).end_of_life == day, name
    ending = {name for name in PRICES.names() if model(name).end_of_life is not None}
    named = {name for literal in get_args(ModelParam) for name in get_args(literal)}
    assert ending & named <= DEPRECATED_MODELS.keys(), "an end that the SDK doesn't know"
    assert {name for name in named if PRICES.model(name) is None} == WITHOUT_A_PRICE


def test_a_day_that_is_no_day_is_told(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    for key in ("end_of_life", "price_ends", "released"):
        for value in ('"2027-01-22"', "2027-01-22T00:00:00Z", "7"):
            own.write_text(f"[models.claude-opus-5]\n{key} = {value}\n")
            with pytest.raises(PricesInvalid, match=f"claude-opus-5.*{key} = "):
                load(own)


def test_limits() -> None:
    haiku = model("claude-haiku-4-5")
    assert (haiku.context_tokens, haiku.max_output_tokens, haiku.min_cacheable_tokens) == (200_000, 64_000, 4096)
    assert model("claude-sonnet-5-5").min_cacheable_tokens == 512
    assert model("claude-opus-4-7").min_cacheable_tokens == 2048
    assert model("claude-opus-4-6").long_output
    assert not model("claude-opus-4-5").long_output


def test_every_source_named_is_given() -> None:
    for name in PRICES.names():
        assert set(model(name).sources) <= set(PRICES.sources)
        assert model(name).sources


def test_a_file_overlays_the_shipped_one(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        "batch_factor = 0.4\n[models.claude-opus-5]\noutput = 12.3456789\n"
        "[models.claude-inhouse]\ninput = 1\nwrite_5m = 1\nwrite_1h = 1\ncache_read = 1\noutput = 1\n"
        "context_tokens = 1000\nmax_output_tokens = 100\nmin_cacheable_tokens = 10\n"
    )
    prices = load(own)
    opus = prices.model("claude-opus-5")
    assert opus is not None
    assert opus.rates.input == 5000
    assert opus.rates.output == Fraction(123456789, 10000)
    # 7 x 12,345.6789 x 0.4 = 34,567.90092
    assert cost(opus, Usage(output_tokens=7), batch=True) == 34_568
    assert prices.model("claude-inhouse") is not None
    assert model("claude-opus-5").rates.output == 25_000


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("models = [", "own.toml"),
        ("[models.x]\ninput = 1", "models.x"),
        ("[models.claude-opus-5]\ninput = 'much'", "models.claude-opus-5"),
        ("[models.claude-opus-5]\ninput = -1", "below zero"),
        ("batch_factor = 'half'", "own.toml"),
        ("[models.claude-opus-5]\naliases = 'opus'", "models.claude-opus-5.*aliases = 'opus', where a list belongs"),
        ("[models.claude-opus-5]\ntiers = [1]", "models.claude-opus-5.*1, where a table belongs"),
        ("[models.claude-opus-5]\ninput = [1]", r"models.claude-opus-5.*\[1\], where a number belongs"),
        ("models = []", "own.toml.*, where a table belongs"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, text: str, complaint: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(PricesInvalid, match=complaint):
        load(own)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PricesInvalid, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")
