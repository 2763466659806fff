"""From a sample of the file to all of it: the interval holds the truth, and says how it is known."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import orjson
import pytest

from overnight_models.money.prices import load
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_workers.item_file import Checker
from overnight_workers.plan.counting import Refused
from overnight_workers.plan.figure import Figure, How, added, around, exactly
from overnight_workers.plan.packing import Packer
from overnight_workers.plan.strata import Group, groups
from overnight_workers.plan.survey import Survey, Unit, survey
from overnight_workers.plan.tokens import Counted, TokensIn, assumed, counted, sampled
from tests.driving import params

PRICES = load()
POLICY = Policy({"default": LanePolicy()}, (), tuple(PRICES.names()))
HAIKU, SONNET = "claude-haiku-5-5", "claude-sonnet-5"


def surveyed(*items: dict[str, Any], seed: int = 0, most_chosen: int = 1_000, known: Sequence[str] = ()) -> Survey:
    lines = b"\n".join(orjson.dumps({"key": f"k{n}", "params": request}) for n, request in enumerate(items))
    packer = Packer(max_items=100_000, max_bytes=200_000_000)
    with io.BytesIO(lines) as source, Checker("default", POLICY, "") as checker:
        return survey(
            source,
            checker,
            PRICES,
            packer,
            known=lambda lines: {line["key"]: True for line in lines if line["key"] in known},
            seed=seed,
            most_chosen=most_chosen,
        )


def texts(sizes: Sequence[int], model: str = HAIKU) -> list[dict[str, Any]]:
    return [params("x" * size, model=model, max_tokens=4_000) for size in sizes]


def by(tokens: Callable[[Unit], int | Refused]) -> Callable[[Group, Sequence[Unit]], list[int | Refused]]:
    return lambda _, units: [tokens(unit) for unit in units]


def looked(survey: Survey, tokens: Callable[[Unit], int | Refused], *, at_most: int = 2_000, **more: Any) -> TokensIn:
    keys = {long.unit: long.key for long in survey.longest}
    strata = groups(survey.cells, survey.longest)
    return sampled(strata, keys, by(tokens), PRICES, within=more.pop("within", 0.01), at_most=at_most, **more)


def noisy(unit: Unit) -> int:
    """About a quarter token a byte, the same each time for the same item."""
    return round(unit.size * random.Random(unit.line).gauss(0.25, 0.03)) + 7


def test_the_same_seed_chooses_the_same_items() -> None:
    items = texts(range(100, 400))
    orders = [groups(surveyed(*items, seed=seed).cells, ())[0].order for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_of_cells_put_together_the_order_is_random_over_all_of_them() -> None:
    # 60 to 70 bytes are two scales of one stratum; of each only 40 are kept
    survey = surveyed(*texts([60] * 300 + [200] * 100), most_chosen=40)
    (group,) = groups(survey.cells, ())
    assert group.stratum.units == 400
    assert 40 <= len(group.order) <= 80
    shares = []
    for seed in range(60):
        (group,) = groups(surveyed(*texts([60] * 60 + [200] * 20), seed=seed, most_chosen=8).cells, ())
        shares += [unit.size == 60 for unit in group.order]
    assert 0.68 <= sum(shares) / len(shares) <= 0.82


def test_the_longest_are_looked_at_whole_and_named() -> None:
    survey = surveyed(*texts([*range(100, 300), 90_000, 80_000]))
    estimate = looked(survey, noisy)
    assert [key for key, _ in estimate.longest[:2]] == ["k200", "k201"]
    strata = groups(survey.cells, survey.longest)
    assert sum(group.stratum.units for group in strata) == 202
    assert [group.stratum.units for group in strata if group.whole] == [10]


def test_a_tight_interval_takes_a_larger_sample() -> None:
    survey = surveyed(*texts([random.Random(n).randint(200, 2_000) for n in range(5_000)]), most_chosen=3_000)
    coarse, fine = (looked(survey, noisy, within=within) for within in (0.02, 0.005))
    for estimate, within in ((coarse, 0.02), (fine, 0.005)):
        assert (estimate.total.high - estimate.total.low) / 2 <= 1.3 * within * estimate.total.value
        assert (estimate.total.how, estimate.by) == (How.SAMPLED, "ratio")
        assert estimate.per_byte == pytest.approx(0.26, abs=0.01)
    assert coarse.looked_at < 400 < fine.looked_at < 3_000
    assert looked(survey, noisy, within=0.0001, at_most=300).looked_at == pytest.approx(300, abs=5)
    assert looked(survey, noisy, asked=700).looked_at == pytest.approx(700, abs=5)


def test_the_interval_holds_the_truth_of_the_whole_file() -> None:
    rng = random.Random(4)
    items = texts([min(round(rng.lognormvariate(5.5, 0.9)), 20_000) for _ in range(1_200)])
    items += texts([rng.randint(300, 900) for _ in range(800)], SONNET)
    survey = surveyed(*items, most_chosen=2_000)
    keys = {long.unit: long.key for long in survey.longest}
    strata = groups(survey.cells, survey.longest)
    truth = sum(noisy(unit) for group in strata for unit in group.order)
    held, runs = 0, 200
    for _ in range(runs):
        other = [group if group.whole else replace(group, order=tuple(shuffled(group.order, rng))) for group in strata]
        estimate = sampled(other, keys, by(noisy), PRICES, within=0.01, at_most=2_000)
        assert estimate.looked_at < 900
        held += estimate.total.low <= truth <= estimate.total.high
    assert 0.92 <= held / runs <= 0.985


def shuffled(units: Sequence[Unit], rng: random.Random) -> list[Unit]:
    return rng.sample(units, len(units))


def test_a_prompt_that_the_api_refuses_has_no_tokens_and_no_answer() -> None:
    survey = surveyed(*texts([200] * 1_000))
    estimate = looked(survey, lambda unit: Refused("400 no") if unit.line % 10 == 0 else 50, asked=400)
    ((why, items),) = estimate.refused
    assert why == "400 no"
    assert items == pytest.approx(100, abs=40)
    (row,) = estimate.by_model[0].rows
    assert float(row.items) == pytest.approx(0.9, abs=0.04)
    assert estimate.total.value == pytest.approx(45_000, rel=0.06)


def test_prompts_beyond_a_tier_are_priced_by_its_row() -> None:
    survey = surveyed(*texts([4_000] * 300 + [480_000] * 60))
    estimate = looked(survey, lambda unit: unit.size // 4)
    (haiku,) = estimate.by_model
    small, large = sorted(haiku.rows, key=lambda row: row.rates.input)
    assert (small.rates.input, large.rates.input) == (100, 500)
    assert float(large.items) == pytest.approx(60 / 360)
    true = 300 * 1_000 * 100 + 60 * 120_000 * 500
    assert haiku.nano.low <= true <= haiku.nano.high
    assert haiku.nano.value == pytest.approx(true, rel=0.01)


def test_all_of_them_leave_no_doubt() -> None:
    each = [Counted(HAIKU, None, f"k{n}", 40, n) for n in range(1, 21)] + [Counted(SONNET, "us", "s", 8, 1_000)]
    estimate = counted([*each, Counted(HAIKU, None, "bad", 40, Refused("400 no"))], PRICES)
    assert (estimate.total, estimate.looked_at) == (exactly(1_210), 22)
    assert estimate.refused == (("400 no", 1),)
    assert estimate.longest[:2] == (("s", 1_000), ("k20", 20))
    sonnet, haiku = estimate.by_model
    assert (sonnet.model, sonnet.geo, sonnet.nano) == (SONNET, "us", exactly(1_000 * 2_000))
    assert (haiku.items, haiku.tokens, haiku.rows[0].items) == (21, exactly(210), Fraction(20, 21))
    assert [(bin_.low, bin_.high, bin_.items) for bin_ in estimate.bins][:4] == [
        (1, 2, 1),
        (2, 5, 3),
        (5, 10, 5),
        (10, 20, 10),
    ]
    assert (estimate.bins[-1].low, estimate.bins[-1].items) == (1_000, 1)


def test_without_asking_it_is_assumed_from_bytes() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 9_000}}
    pictured = params("x") | {"messages": [{"role": "user", "content": [image, {"type": "text", "text": "y" * 400}]}]}
    survey = surveyed(*texts([400] * 50), *[pictured] * 50)
    estimate = assumed(groups(survey.cells, survey.longest), {long.unit: long.key for long in survey.longest}, PRICES)
    assert estimate.total == Figure(50 * 100 + 50 * 1_600, 68_000, 136_000, How.ASSUMED)
    assert (estimate.by, estimate.looked_at) == ("bytes", 0)


def test_what_is_in_the_lane_already_is_in_no_number() -> None:
    survey = surveyed(*texts([100] * 10), known=["k3", "k4"])
    assert (survey.known, survey.items) == (2, 8)


def test_models_without_a_price_are_told_apart_from_other_faults() -> None:
    survey = surveyed(
        *texts([100] * 3), params("x", model="claude-nobody-9"), params("x", model="claude-n", stream=True)
    )
    assert (survey.items, survey.bad, survey.unpriced) == (3, 2, {"claude-nobody-9": 1})
    assert [bad.number for bad in survey.bad_lines] == [4, 5]
    assert any("stream" in why for why in survey.reasons)


def test_the_callers_marks_are_added_up() -> None:
    marked = [{"type": "text", "text": "r" * 2_000, "cache_control": {"type": "ephemeral"}}]
    survey = surveyed(
        *[params(f"q{n}", system=marked) for n in range(3)], params("q" * 100, cache_control={"type": "ephemeral"})
    )
    assert (survey.marks[HAIKU, None].items, survey.marks[HAIKU, None].size) == (4, 6_100)


def test_doubts_add_in_squares_and_assumptions_in_full() -> None:
    sure, sampled_, guessed = exactly(100), around(1_000.4, 30, How.SAMPLED), Figure(50, 10, 250, How.ASSUMED)
    assert added([sampled_, around(500, 40, How.LEARNED)]) == Figure(1_500, 1_450, 1_550, How.LEARNED)
    assert added([sure, guessed]) == Figure(150, 110, 350, How.ASSUMED)
    assert sampled_.times(2) == Figure(2_000, 1_940, 2_062, How.SAMPLED)
    assert around(5, 9, How.SAMPLED).low == 0
