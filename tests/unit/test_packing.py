"""The plan's batches are those that the lane would pack."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight_models.ledger.pack.pack import FRAME_BYTES
from overnight_workers.plan.packing import Full, Packer, divided, waves


def packed(sizes: list[int], *, max_items: int = 100, max_bytes: int = 10_000) -> list[tuple[int, Full]]:
    packer = Packer(max_items=max_items, max_bytes=max_bytes)
    for size in sizes:
        packer.add(size, ())
    return [(batch.items, batch.why) for batch in packer.packed()]


def test_a_batch_is_full_by_items_or_bytes_or_time() -> None:
    assert packed([10] * 250) == [(100, Full.ITEMS), (100, Full.ITEMS), (50, Full.WAIT)]
    # 920 and the frame's 80 bytes: ten fit
    assert packed([1_000 - FRAME_BYTES] * 25) == [(10, Full.BYTES), (10, Full.BYTES), (5, Full.WAIT)]
    assert packed([]) == []


def test_an_item_larger_than_a_batch_goes_alone() -> None:
    assert packed([50_000, 10, 10]) == [(1, Full.BYTES), (2, Full.WAIT)]


def test_other_headers_make_other_batches() -> None:
    packer = Packer(max_items=100, max_bytes=10_000)
    for number in range(30):
        packer.add(10, ["b", "a"] if number % 3 == 0 else ["a", "b"] if number % 3 == 1 else [])
    assert sorted((batch.items, batch.betas) for batch in packer.packed()) == [(10, ()), (20, ("a", "b"))]


@given(st.lists(st.integers(1, 5_000), max_size=200))
def test_no_batch_is_larger_than_the_lane_allows_and_none_is_lost(sizes: list[int]) -> None:
    packer = Packer(max_items=7, max_bytes=6_000)
    for size in sizes:
        packer.add(size, ())
    batches = packer.packed()
    assert sum(batch.items for batch in batches) == len(sizes)
    assert sum(batch.size for batch in batches) == sum(sizes) + FRAME_BYTES * len(sizes)
    assert all(batch.items <= 7 and batch.size <= 6_000 for batch in batches)


def test_waves_are_what_the_queue_takes_at_once() -> None:
    assert waves([100, 100, 50], 200) == [[100, 100], [50]]
    assert waves([100, 150, 100], 200) == [[100], [150], [100]]
    assert waves([], 200) == []
    # more than the queue ever takes: it goes alone, and will be turned down
    assert waves([300], 200) == [[300]]


@given(st.integers(1, 10**6), st.integers(1, 10**5))
def test_batches_of_about_the_same_size(items: int, at_most: int) -> None:
    sizes = divided(items, at_most)
    assert sum(sizes) == items
    assert max(sizes) <= at_most
    assert max(sizes) - min(sizes) <= 1
