"""Statistics of pairs: right values, and a plain answer where others say nan."""

from __future__ import annotations

import math
import random

import pytest

from overnight_workers.catalogs.compare.paired import (
    Table,
    holm,
    mcnemar,
    mean_difference,
    rows_to_tell,
    share_difference,
    tabulate,
)
from overnight_workers.catalogs.interval import wilson

Z = 1.959963984540054


def tango(table: Table) -> tuple[float, float]:
    """Tango's score interval, found by its equation: another method for the same thing."""
    from scipy.optimize import brentq  # half a second for whoever collects this file

    n, b, c = table.rows, table.second_only, table.first_only

    def score(delta: float) -> float:
        half = -b - c + (2 * n - b + c) * delta
        product = -c * delta * (1 - delta)
        q = (math.sqrt(half * half - 8 * n * product) - half) / (4 * n)
        variance = n * (2 * q + delta * (1 - delta))
        return (b - c - n * delta) / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, b - c - n * delta)

    at = table.difference
    edge = 1 - 1e-9
    low = brentq(lambda delta: score(delta) - Z, -edge, at) if score(-edge) > Z else -1.0
    high = brentq(lambda delta: score(delta) + Z, at, edge) if score(edge) < -Z else 1.0
    return float(low), float(high)


def test_pairs_are_counted_row_by_row() -> None:
    table = tabulate([True, True, False, False, True], [True, False, True, False, True])

    assert table == Table(both=2, first_only=1, second_only=1, neither=1)
    assert (table.rows, table.difference) == (5, 0.0)


def test_two_prompts_that_agree_on_every_row_are_no_difference() -> None:
    table = Table(both=180, first_only=0, second_only=0, neither=20)

    assert mcnemar(table).p == 1.0
    estimate = share_difference(table)
    assert not estimate.decided
    assert estimate.low < 0 < estimate.high
    assert rows_to_tell(table) is None


@pytest.mark.parametrize(
    ("first_only", "second_only", "p"),
    [(1, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (2, 8, 0.109375), (10, 10, 1.0), (1, 9, 0.021484375)],
)
def test_the_exact_test_doubles_the_smaller_tail(first_only: int, second_only: int, p: float) -> None:
    assert mcnemar(Table(50, first_only, second_only, 10)).p == pytest.approx(p, abs=1e-12)


def test_the_interval_is_near_another_method_and_never_leaves_the_scale() -> None:
    draw = random.Random(7)
    for _ in range(300):
        table = Table(*(draw.randrange(1, 60) for _ in range(4)))
        estimate = share_difference(table)

        assert -1 <= estimate.low <= estimate.value <= estimate.high <= 1
        low, high = tango(table)
        room = 1.2 / math.sqrt(table.rows) / 4
        assert estimate.low == pytest.approx(low, abs=room)
        assert estimate.high == pytest.approx(high, abs=room)


@pytest.mark.parametrize(
    "shares", [(0.95, 0.0, 0.0, 0.05), (0.8, 0.03, 0.06, 0.11), (0.5, 0.2, 0.2, 0.1), (0.9, 0.0, 0.1, 0.0)]
)
def test_the_interval_holds_the_truth_nineteen_times_in_twenty(shares: tuple[float, ...]) -> None:
    draw = random.Random(11)
    truth, holds, times = shares[2] - shares[1], 0, 800
    for _ in range(times):
        kinds = draw.choices(range(4), shares, k=200)
        estimate = share_difference(Table(*(kinds.count(kind) for kind in range(4))))
        holds += estimate.low <= truth <= estimate.high
    assert holds / times >= 0.93


@pytest.mark.parametrize(
    "table", [Table(0, 0, 0, 0), Table(1, 0, 0, 0), Table(0, 1, 0, 0), Table(0, 0, 200, 0), Table(0, 0, 0, 9)]
)
def test_few_rows_and_one_sided_tables_have_an_interval_without_nan(table: Table) -> None:
    estimate = share_difference(table)

    assert all(math.isfinite(number) for number in (estimate.value, estimate.low, estimate.high))
    assert math.isfinite(mcnemar(table).p)


def test_a_mean_difference_has_an_interval_that_is_the_same_each_time() -> None:
    draw = random.Random(3)
    first = [draw.gauss(10, 3) for _ in range(200)]
    second = [value + draw.gauss(0.5, 1) for value in first]

    estimate = mean_difference(first, second)

    assert estimate == mean_difference(first, second)
    assert estimate.decided
    assert 0.3 < estimate.low < estimate.value < estimate.high < 0.7


def test_constant_and_few_scores_give_no_nan() -> None:
    assert mean_difference([1, 2, 3], [1, 2, 3]).value == 0
    constant = mean_difference([1, 2, 3], [2, 3, 4])
    assert (constant.low, constant.value, constant.high) == (1, 1, 1)
    assert mean_difference([1], [2]).high == math.inf
    assert mean_difference([], []).method == "no rows"
    assert not any(
        math.isnan(edge) for edge in (mean_difference([1, 2], [2, 5]).low, mean_difference([1, 2], [2, 5]).high)
    )


def test_holm_makes_the_smallest_p_count_most() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []
    assert holm([0.5, 0.6, 0.9]) == [1.0, 1.0, 1.0]


def test_the_number_of_rows_that_would_tell_is_near_what_simulation_says() -> None:
    seen = Table(both=176, first_only=8, second_only=12, neither=4)  # 2 points of 100, 10 of 100 discordant
    rows = rows_to_tell(seen)
    assert rows is not None
    assert 1_500 < rows < 2_500

    draw = random.Random(5)
    detected = 0
    for _ in range(200):
        kinds = draw.choices(range(4), (0.88, 0.04, 0.06, 0.02), k=rows)
        detected += mcnemar(Table(*(kinds.count(kind) for kind in range(4)))).p < 0.05
    assert 0.7 < detected / 200 < 0.9


def test_wilson_never_gives_a_share_of_nothing_without_doubt() -> None:
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(17, 200) == pytest.approx((0.0537, 0.1319), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
