"""Into how many batches what waits is divided, how few are worth one, and the hours that a deadline gives up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from overnight_models.ledger.pack.pack import Waiting
from overnight_workers.configuration.submit_window import SubmitWindow, read_window
from overnight_workers.roads import memory
from overnight_workers.roads.decision import Pace
from overnight_workers.roads.turnaround import Turnarounds
from overnight_workers.settings import Lane
from overnight_workers.stages.pack import pack as packing
from overnight_workers.stages.pack.pack import is_due, size_of_batches

HOUR = 3600.0


@pytest.fixture(autouse=True)
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is known of earlier batches: what others report is assumed, and no ledger is read."""
    known = Turnarounds((), 1_000)
    monkeypatch.setattr(memory, "pace", lambda lane, items: Pace(known, lane.deadline_confidence, noticed_s=14.0))


def waits(items: int, age_s: float = 0.0) -> Waiting:
    return Waiting("default", 1, 1, items, items * 1_000, age_s)


def shut() -> SubmitWindow:
    """Hours that are far away now."""
    now = datetime.now(UTC)
    return read_window(f"{now + timedelta(hours=6):%H:%M}-{now + timedelta(hours=8):%H:%M} UTC")


@pytest.mark.parametrize(
    ("items", "target", "expected"),
    [(1_000, 4, 250), (1_001, 4, 251), (3, 4, 1), (1_000, 1, 1_000), (250_000, 2, 100_000), (1_000, None, 1_000)],
)
def test_what_waits_is_divided_into_as_many_batches_as_the_lane_says(
    items: int, target: int | None, expected: int
) -> None:
    assert size_of_batches(items, Lane(target_batches=target)) == expected


def test_parts_are_not_smaller_than_the_fewest_that_are_worth_a_batch() -> None:
    assert size_of_batches(1_000, Lane(target_batches=10, min_items=400)) == 400


def test_a_deadline_makes_batches_smaller_than_the_lane_says_and_a_far_one_does_not() -> None:
    lane = Lane(target_batches=2, deadline_confidence=0.95)
    assert size_of_batches(20_000, lane, within_s=23 * HOUR) == 10_000
    assert size_of_batches(20_000, lane, within_s=0.5 * HOUR) <= 10_000


@pytest.mark.parametrize(("items", "expected"), [(9, False), (10, True), (11, True)])
def test_fewer_than_are_worth_a_batch_are_not_packed_however_long_they_wait(items: int, expected: bool) -> None:
    assert is_due(waits(items, age_s=1e6), Lane(min_items=10, max_wait=60.0)) is expected


def test_a_deadline_packs_fewer_than_are_worth_a_batch() -> None:
    lane = Lane(min_items=10, max_wait=60.0)
    assert not is_due(waits(1, age_s=1e6), lane, within_s=23 * HOUR)
    assert is_due(waits(1, age_s=1e6), lane, within_s=60.0)


def test_outside_its_hours_a_lane_packs_nothing_neither_what_waited_enough_nor_a_whole_batch() -> None:
    lane = Lane(submit_window=shut(), max_wait=60.0, max_items=100)
    assert not is_due(waits(5, age_s=1e6), lane)
    assert not is_due(waits(100), lane)
    assert is_due(waits(100), Lane(max_wait=60.0, max_items=100))


def test_the_hours_are_given_up_for_a_deadline_and_only_when_it_is_near() -> None:
    lane = Lane(submit_window=shut(), max_wait=60.0)
    assert not is_due(waits(5, age_s=1e6), lane, within_s=23 * HOUR)
    assert is_due(waits(5), lane, within_s=60.0)


def test_with_room_for_several_batches_all_of_them_are_packed_at_one_look() -> None:
    filling = packing._Filling(Lane(target_batches=4, max_wait=0.0), None)
    left, sizes = 1_000, []
    while left and filling.is_due(waits(left)):
        sizes.append(min(filling.size, left))
        left -= sizes[-1]
    assert sizes == [250] * 4
