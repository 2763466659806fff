"""Statistics against known values, and by simulation: the interval holds the truth in about 95 of 100 runs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from overnight_workers.plan.sampling import (
    FIRST,
    Estimate,
    Sample,
    Stratum,
    combined,
    estimate,
    needed,
    shared_out,
    size_strata_pay,
    t_quantile,
)

Population = list[tuple[int, int]]
"""Sizes and values."""


@pytest.mark.parametrize(
    ("freedom", "t"),
    [(1, 12.706), (4, 2.776), (5, 2.571), (10, 2.228), (29, 2.045), (100, 1.984), (math.inf, 1.960)],
)
def test_students_t(freedom: float, t: float) -> None:
    assert t_quantile(freedom) == pytest.approx(t, abs=0.001)


def test_the_mean_of_a_sample_by_hand() -> None:
    # mean 4, variance 4, 3 of 10: total 40, variance 100 x (1 - 0.3) x 4 / 3
    figure = estimate(Stratum(10, 10), Sample([1, 1, 1], [2, 4, 6]))
    assert (figure.total, figure.by, figure.freedom) == (40, "mean", 2)
    assert figure.variance == pytest.approx(280 / 3)
    assert figure.deviation == pytest.approx(4.303 * math.sqrt(280 / 3))


def test_tokens_per_byte_are_tighter_where_they_hold() -> None:
    # exactly a quarter: no residual at all, whatever the sizes
    figure = estimate(Stratum(100, 4_000), Sample([20, 40, 80], [5, 10, 20]))
    assert (figure.total, figure.variance, figure.by) == (1_000, 0, "ratio")


def test_all_of_a_stratum_leaves_no_doubt() -> None:
    figure = estimate(Stratum(3, 9), Sample([2, 3, 4], [1, 5, 9]))
    assert figure == Estimate(15, 0, math.inf, "all")
    assert figure.deviation == 0


def test_strata_add_up() -> None:
    parts = [Estimate(10, 4, 9, "mean"), Estimate(20, 4, 9, "ratio"), Estimate(5, 0, math.inf, "all")]
    figure = combined(parts)
    assert (figure.total, figure.variance, figure.by) == (35, 8, "ratio")
    assert figure.freedom == pytest.approx(18)
    assert combined([parts[2]]).by == "all"


def test_the_sample_is_as_large_as_the_interval_asks() -> None:
    # deviation 10 at a mean of 100: (1.96 x 10 / 1)^2 = 384 for 1%, less what the finite population saves
    values = [90, 110] * 500
    sample = Sample([1] * 1_000, values)
    (n,) = needed([Stratum(10**9, 10**9)], [sample], 0.01)
    assert n == pytest.approx(385, abs=3)
    (finite,) = needed([Stratum(2_000, 2_000)], [sample], 0.01)
    assert finite == pytest.approx(385 / (1 + 385 / 2_000), abs=3)


def test_more_is_looked_at_where_more_is_unknown() -> None:
    strata = [Stratum(1_000, 1_000), Stratum(1_000, 1_000), Stratum(4, 4)]
    quiet, wild = Sample([1] * 4, [9, 11, 9, 11]), Sample([1] * 4, [60, 140, 60, 140])
    assert shared_out(strata, [quiet, wild, quiet], 410) == pytest.approx([10, 400, 0], abs=1)
    # what a stratum doesn't have goes to the others
    assert shared_out([Stratum(1_000, 1_000), Stratum(50, 50)], [quiet, wild], 300) == [250, 50]


def test_where_nothing_differs_all_strata_are_looked_at_alike() -> None:
    same = Sample([1] * 4, [7] * 4)
    assert shared_out([Stratum(300, 300), Stratum(100, 100)], [same, same], 40) == [30, 10]


def test_sizes_are_sampled_apart_where_they_differ_much() -> None:
    alike, apart = [100, 110, 90, 105], [10, 10, 10, 1_000]
    for sizes, pays in ((alike, False), (apart, True)):
        assert size_strata_pay(4, sum(sizes), sum(size * size for size in sizes)) is pays
    assert not size_strata_pay(1, 5, 25)


def proportional(rng: random.Random) -> tuple[int, int]:
    """Texts: about a quarter token a byte."""
    size = round(rng.lognormvariate(6, 0.6))
    return size, round(size * rng.gauss(0.25, 0.02)) + 4


def unrelated(rng: random.Random) -> tuple[int, int]:
    """Answers: skewed, and nothing to do with the sizes."""
    return rng.randint(10, 1_000), round(rng.lognormvariate(5, 0.7))


@pytest.mark.parametrize("kind", [proportional, unrelated])
def test_the_interval_holds_the_truth(kind: Callable[[random.Random], tuple[int, int]]) -> None:
    rng = random.Random(5)
    population = [kind(rng) for _ in range(3_000)]
    truth = sum(value for _, value in population)
    stratum = Stratum(len(population), sum(size for size, _ in population))
    runs, held = 800, 0
    for _ in range(runs):
        sizes, values = zip(*rng.sample(population, 120), strict=True)
        figure = estimate(stratum, Sample(sizes, values))
        held += abs(figure.total - truth) <= figure.deviation
    assert 0.93 <= held / runs <= 0.97


def test_the_interval_holds_the_truth_when_the_sample_chooses_its_own_size() -> None:
    """As the plan does it: by strata, a first look, then as many as the wanted interval needs."""
    rng = random.Random(7)
    parts = [[proportional(rng) for _ in range(4_000)], [unrelated(rng) for _ in range(1_500)]]
    strata = [Stratum(len(part), sum(size for size, _ in part)) for part in parts]
    truth = sum(value for part in parts for _, value in part)
    runs, held, within, looked_at = 800, 0, 0.03, 0
    for _ in range(runs):
        orders = [rng.sample(part, 1_200) for part in parts]

        def looked(counts: list[int], orders: list[Population] = orders) -> list[Sample]:
            pairs = [order[:n] for order, n in zip(orders, counts, strict=True)]
            return [Sample([size for size, _ in some], [value for _, value in some]) for some in pairs]

        first = looked([FIRST, FIRST])
        counts = [max(FIRST, min(n, 1_200)) for n in needed(strata, first, within)]
        figure = combined(
            [estimate(stratum, some, first=FIRST) for stratum, some in zip(strata, looked(counts), strict=True)]
        )
        held += abs(figure.total - truth) <= figure.deviation
        looked_at += sum(counts)
        assert figure.deviation <= 2.5 * within * truth
    assert 0.93 <= held / runs <= 0.975
    assert looked_at / runs < 800
