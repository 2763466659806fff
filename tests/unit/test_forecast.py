"""What many requests cost, to the cent: the sums of the article that started this project, and the true ones."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.money.caching import Why, break_even, decide, primed_from
from overnight_models.money.forecast import Caching, Lifetime, Load, total
from overnight_models.money.prices import Model, Usage, cost, load

PRICES = load()
NANO = 1_000_000_000


def model(name: str) -> Model:
    known_model = PRICES.model(name)
    assert known_model is not None
    return known_model


SONNET = model("claude-sonnet-4-5")
CONTRACTS = Load(requests=1_000, prefix_tokens=20_000)


def dollars(nano: Fraction) -> str:
    """To the cent, as the article writes money."""
    whole, rest = divmod(round(nano / (NANO // 100)), 100)
    return f"${whole}.{rest:02d}"


def cached(lifetime: Lifetime, hits: str, *, primed: bool = False) -> Caching:
    return Caching(lifetime, Fraction(hits), primed)


def test_five_thousand_pieces_of_feedback() -> None:
    # the article gives the sums and not the tokens; these give $0.024 each at $3 and $15
    feedback = Load(requests=5_000, own_tokens=3_000, output_tokens=1_000)
    assert total(SONNET, feedback, batch=False) == 120 * NANO
    assert total(SONNET, feedback, batch=True) == 60 * NANO


def test_ten_million_tokens_of_output() -> None:
    answers = Load(requests=10_000, output_tokens=1_000)
    assert total(SONNET, answers, batch=False) == 150 * NANO
    assert total(SONNET, answers, batch=True) == 75 * NANO


def test_the_contracts_by_the_article() -> None:
    """The article pays the prefix once at the ordinary price and then has all 1,000 read it: no write is dearer."""
    once, all_read = Load(requests=1, prefix_tokens=20_000), cached("5m", "1")
    assert total(SONNET, CONTRACTS, batch=False) == 60 * NANO
    for batch, amount in ((False, "$6.06"), (True, "$3.03")):
        sum_ = total(SONNET, once, batch=batch) + total(SONNET, CONTRACTS, batch=batch, caching=all_read)
        assert dollars(sum_) == amount


@pytest.mark.parametrize(
    ("caching", "shown"),
    [
        (None, "$30.00"),
        (cached("1h", "0.30"), "$42.90"),
        (cached("1h", "0.60"), "$25.80"),
        (cached("1h", "0.98"), "$4.14"),
        (cached("1h", "1", primed=True), "$3.06"),
        (cached("5m", "0.30"), "$27.15"),
        (cached("5m", "0.60"), "$16.80"),
        (cached("5m", "0.98"), "$3.69"),
        (cached("5m", "1", primed=True), "$3.03"),
    ],
)
def test_the_contracts_as_they_are_billed(caching: Caching | None, shown: str) -> None:
    """Every miss writes; primed, one request writes and the other 999 read."""
    assert dollars(total(SONNET, CONTRACTS, batch=True, caching=caching)) == shown


@pytest.mark.parametrize(
    ("name", "an_hour", "five_minutes"),
    [
        ("claude-sonnet-4-5", Fraction(10, 19), Fraction(5, 23)),  # reads at 0.1x: 52.6%, 21.7%
        ("claude-sonnet-5-5", Fraction(20, 39), Fraction(5, 24)),  # at 0.05x: 51.3%, 20.8%
        ("claude-fable-5-1", Fraction(40, 79), Fraction(10, 49)),  # at 0.025x: 50.6%, 20.4%
    ],
)
def test_the_break_even_is_of_the_models_own_prices(name: str, an_hour: Fraction, five_minutes: Fraction) -> None:
    rates = model(name).rates
    assert (break_even(rates, "1h"), break_even(rates, "5m")) == (an_hour, five_minutes)


LIFETIMES: tuple[Lifetime, ...] = ("5m", "1h")
ANY_MODEL = st.sampled_from(PRICES.names()).map(model)


@given(ANY_MODEL, st.sampled_from(LIFETIMES), st.integers(2, 10**6), st.fractions(0, 1))
def test_caching_pays_above_the_break_even_and_not_at_it(
    priced: Model, lifetime: Lifetime, n: int, rate: Fraction
) -> None:
    at = break_even(priced.rates, lifetime)
    assert at is not None
    shared = Load(requests=n, prefix_tokens=priced.min_cacheable_tokens, own_tokens=100, output_tokens=Fraction(7, 3))
    for hits in (rate, at):
        decision = decide(priced, shared, [Caching(lifetime, hits)])
        assert (decision.why is Why.PAYS) == (hits > at)
        with_it = total(priced, shared, batch=True, caching=decision.caching)
        assert decision.saved == total(priced, shared, batch=True) - with_it


@given(ANY_MODEL, st.sampled_from(LIFETIMES))
def test_priming_pays_from_so_many_requests_on(priced: Model, lifetime: Lifetime) -> None:
    least = primed_from(priced.rates, lifetime)
    assert least is not None
    primed = [Caching(lifetime, Fraction(1), primed=True)]
    tokens = priced.min_cacheable_tokens
    assert decide(priced, Load(least, tokens), primed).why is Why.PAYS
    assert least == 2 or decide(priced, Load(least - 1, tokens), primed).why is Why.TOO_FEW_HITS


@given(ANY_MODEL, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_one_request_costs_what_its_bill_will_say(priced: Model, prefix: int, own: int, out: int, batch: bool) -> None:
    for geo in (None, "us"):
        alone = Load(1, prefix, own, out, geo)
        plain = Usage(input_tokens=prefix + own, output_tokens=out, inference_geo=geo)
        wrote = Usage(input_tokens=own, write_1h_tokens=prefix, output_tokens=out, inference_geo=geo)
        for caching, usage in ((None, plain), (Caching("1h", Fraction(0)), wrote)):
            exact = total(priced, alone, batch=batch, caching=caching)
            assert Fraction(-1, 2) < cost(priced, usage, batch=batch) - exact <= Fraction(1, 2)


def test_the_cheapest_way_is_taken() -> None:
    rates = [cached("1h", "0.98"), cached("5m", "0.60"), cached("5m", "0.98"), cached("1h", "1", primed=True)]
    decision = decide(SONNET, CONTRACTS, rates)
    assert decision.caching == rates[3]
    assert dollars(decision.saved) == "$26.94"
    # 5-minute writes are cheaper, but an hour may keep more hits
    assert decide(SONNET, CONTRACTS, rates[:3]).caching == rates[2]
    assert decide(SONNET, CONTRACTS, rates[:2]).caching == rates[0]


@pytest.mark.parametrize(
    ("shared", "way", "why", "shown"),
    [
        (Load(1_000), cached("1h", "1"), Why.NO_PREFIX, "no prefix in common"),
        (Load(1, 20_000), cached("1h", "1"), Why.ALONE, "one request alone"),
        (Load(1_000, 1_023), cached("1h", "1"), Why.TOO_SHORT, "1,023 tokens are too few, .* caches from 1,024"),
        (
            Load(1_000, 1_024),
            cached("1h", "0.3"),
            Why.TOO_FEW_HITS,
            "30% of hits are too few, a 1h write .* more than 53%",
        ),
        (Load(2, 1_024), cached("1h", "1", primed=True), Why.TOO_FEW_HITS, "2 requests are too few"),
        (Load(3, 1_024), cached("1h", "1", primed=True), Why.PAYS, "one goes ahead"),
    ],
)
def test_the_reason_is_said(shared: Load, way: Caching, why: Why, shown: str) -> None:
    decision = decide(SONNET, shared, [way])
    assert decision.why is why
    assert re.search(shown, decision.text)


def test_what_is_cached_before_it_helps_a_prefix_over_the_minimum() -> None:
    short = Load(1_000, 500, own_tokens=1_000)
    assert decide(SONNET, short, [cached("1h", "1")]).why is Why.TOO_SHORT
    assert decide(SONNET, short, [cached("1h", "1")], before_tokens=600).why is Why.PAYS


def test_a_prompt_beyond_the_tier_is_dearer_as_a_whole() -> None:
    haiku = model("claude-haiku-5-5")
    at_most = total(haiku, Load(10, 60_000, 40_000, 1_000), batch=True)
    beyond = total(haiku, Load(10, 60_000, 40_001, 1_000), batch=True)
    assert at_most == 10 * (100_000 * 100 + 1_000 * 500) // 2
    assert beyond == 10 * (100_001 * 500 + 1_000 * 2_500) / Fraction(2)


def test_a_model_whose_reads_are_no_cheaper_never_caches() -> None:
    odd = replace(SONNET, rates=replace(SONNET.rates, cache_read=SONNET.rates.input))
    assert break_even(odd.rates, "5m") is None
    assert primed_from(odd.rates, "5m") is None
    assert "no lower price" in decide(odd, CONTRACTS, [cached("5m", "1")]).text
