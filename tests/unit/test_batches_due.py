"""When waiting items become batches: at a size, at a number of bytes, or when the oldest has waited enough."""

from __future__ import annotations

import pytest

from overnight_models.ledger.pack import FRAME_BYTES, Waiting
from overnight_workers.pack import batches_due
from overnight_workers.settings import Lane

LANE = Lane.model_validate({"max_items": 100, "max_bytes": "1MB", "max_wait": "60s"})


def due(items: int, size: int = 0, age_s: float = 0.0) -> int:
    return batches_due(Waiting("default", 1, 1, items, size, age_s), LANE)


@pytest.mark.parametrize(("items", "expected"), [(0, 0), (1, 0), (99, 0), (100, 1), (199, 1), (250, 2)])
def test_by_number(items: int, expected: int) -> None:
    assert due(items) == expected


def test_by_bytes_with_what_frames_each_request() -> None:
    assert due(10, 1_000_000 - 10 * FRAME_BYTES - 1) == 0
    assert due(10, 1_000_000 - 10 * FRAME_BYTES) == 1
    assert due(10, 2_500_000) == 2


@pytest.mark.parametrize(("age_s", "expected"), [(59.9, 0), (60, 1), (1000, 1)])
def test_by_age(age_s: float, expected: int) -> None:
    assert due(5, age_s=age_s) == expected


def test_the_rest_goes_with_the_whole_ones_when_its_oldest_waited_enough() -> None:
    assert due(250, age_s=61) == 3


def test_nothing_waits_nothing_is_due() -> None:
    assert due(0, age_s=1000) == 0
