"""When waiting items become a batch: at a size, at a number of bytes, or when the oldest has waited enough."""

from __future__ import annotations

import pytest

from overnight_models.ledger.pack.pack import FRAME_BYTES, Waiting
from overnight_workers.settings import Lane
from overnight_workers.stages.pack.pack import is_due

LANE = Lane(max_items=100, max_bytes=1_000_000, max_wait=60.0)


def due(items: int, size: int = 0, age_s: float = 0.0) -> bool:
    return is_due(Waiting("default", 1, 1, items, size, age_s), LANE)


@pytest.mark.parametrize(("items", "expected"), [(0, False), (1, False), (99, False), (100, True), (199, True)])
def test_by_number(items: int, expected: bool) -> None:
    assert due(items) is expected


def test_by_bytes_with_what_frames_each_request() -> None:
    assert not due(10, 1_000_000 - 10 * FRAME_BYTES - 1)
    assert due(10, 1_000_000 - 10 * FRAME_BYTES)


@pytest.mark.parametrize(("age_s", "expected"), [(59.9, False), (60, True), (1000, True)])
def test_by_age(age_s: float, expected: bool) -> None:
    assert due(5, age_s=age_s) is expected


def test_nothing_waits_nothing_is_due() -> None:
    assert not due(0, age_s=1000)
