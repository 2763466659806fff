"""Roads: how likely a batch is in time, when it must be packed at the latest, and when real time must begin."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import accumulate

import pytest

from overnight_models.ledger.money.history import Turnaround
from overnight_workers.roads.decision import ONE_ANSWER_S, Pace, latest_starts, sizes
from overnight_workers.roads.turnaround import EXPIRES_S, SURE, Turnarounds

HOUR = 3600.0


def took(*hours: float, items: int = 1_000) -> Turnarounds:
    past = [Turnaround(items, hour * HOUR, datetime(2026, 11, 20, tzinfo=UTC)) for hour in hours]
    return Turnarounds(past, items)


TWENTY = took(*(0.5 + n / 4 for n in range(20)))
"""Twenty batches that took from half an hour to 5 h 15 min."""


def test_the_chance_is_the_share_of_earlier_batches_that_took_no_longer() -> None:
    assert TWENTY.chance(1_000, 0.4 * HOUR) == 0
    assert TWENTY.chance(1_000, 2 * HOUR) == pytest.approx(7 / 20)
    assert TWENTY.chance(1_000, 6 * HOUR) == 1
    assert TWENTY.chance(1_000, 0) == 0


def test_what_a_batch_needs_has_the_chance_that_is_asked_for_and_a_second_less_has_not() -> None:
    for known in (TWENTY, Turnarounds([], 1_000)):
        for confidence in (0.5, 0.9, SURE):
            needs = known.sure_s(1_000, confidence)
            assert known.chance(1_000, needs + 0.01) >= confidence - 1e-6
            assert known.chance(1_000, needs - 1) < confidence


def test_a_batch_that_still_runs_is_judged_by_those_that_ran_as_long() -> None:
    # 10 of 20 are over after 2 h 45 min; of the other 10 a half is over after 4 h
    assert TWENTY.chance(1_000, 1.25 * HOUR, running_s=2.75 * HOUR) == pytest.approx(5 / 10)
    assert TWENTY.sure_s(1_000, 0.5, running_s=2.75 * HOUR) == pytest.approx(1.25 * HOUR)


def test_one_that_runs_longer_than_any_before_it_is_not_counted_on() -> None:
    assert TWENTY.chance(1_000, EXPIRES_S, running_s=5.5 * HOUR) == 0
    assert TWENTY.sure_s(1_000, SURE, running_s=5.5 * HOUR) == math.inf
    prior = Turnarounds([], 1_000)
    assert prior.chance(1_000, HOUR, running_s=12 * HOUR) < 0.5


def test_a_batch_must_be_packed_so_early_that_our_own_work_fits_too() -> None:
    pace = Pace(TWENTY, 0.95, noticed_s=30)
    needs = pace.needs_s(1_000)
    assert needs == pytest.approx(5 * HOUR + 30 + 2)
    assert pace.chance(1_000, needs + 1) >= 0.95
    assert pace.chance(1_000, needs - 10) < 0.95


def test_many_items_are_divided_when_smaller_batches_are_in_time_and_one_is_not() -> None:
    pace = Pace(took(*[1.0] * 10, items=100_000), 0.95, noticed_s=0)
    assert pace.size_for(100_000, 2 * HOUR) == 100_000
    smaller = pace.size_for(100_000, 0.6 * HOUR)
    assert 10_000 <= smaller <= 50_000
    assert pace.chance(100_000, 0.6 * HOUR) == 1
    assert pace.size_for(100_000, 60) == 10_000


@pytest.mark.parametrize(
    ("items", "expected"), [(0, [1]), (1, [1]), (900, [900]), (5_000, [5_000, 2_500, 1_250, 1_000])]
)
def test_batches_are_not_made_smaller_than_a_thousand_items_nor_more_than_ten(items: int, expected: list[int]) -> None:
    assert sizes(items) == expected
    assert min(sizes(100_000)) == 10_000


def test_each_starts_as_late_as_it_may_and_all_are_in_time() -> None:
    deadlines, costs = [1_000.0, 1_000.0, 1_000.0, 5_000.0], [10.0, 20.0, 30.0, 40.0]
    starts = latest_starts(deadlines, costs)
    assert [start + ONE_ANSWER_S for start in starts] == [940, 950, 970, 4_960]


def test_items_that_come_later_push_those_before_them_to_an_earlier_start() -> None:
    # a thousand at 1 s each are due in 1,100 s: the first one of an hour before must make room for them
    starts = latest_starts([1_090.0, *[1_100.0] * 1_000], [1.0] * 1_001)
    assert starts[0] == pytest.approx(1_100 - 1_001 - ONE_ANSWER_S)
    ends = [start + 1 for start in starts]
    assert all(end <= later for end, later in zip(ends, starts[1:] or [math.inf], strict=False))


def test_what_is_too_late_is_to_start_at_once() -> None:
    starts = latest_starts([10.0, 10.0, 4_000.0], [60.0, 60.0, 60.0])
    assert starts[0] < 0
    assert starts[1] < 0
    assert starts[2] == 4_000 - 60 - ONE_ANSWER_S
    assert list(accumulate(starts, max)) == starts
