"""Room: what a broker may still be given, by its queue's length, its memory, and what it says of its own limit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_workers.configuration.broker_settings import BrokerLimits
from overnight_workers.stages.deliver.room import BYTES_IN_FLIGHT, Room, cost_of, room_in

MB = 1_000_000


def limits(max_queue: int = 100, max_memory: int | None = None) -> BrokerLimits:
    return BrokerLimits(max_queue=max_queue, max_memory=max_memory)


def memory(used: int, maxmemory: int = 0, policy: str = "noeviction") -> dict[str, Any]:
    return {"used_memory": used, "maxmemory": maxmemory, "maxmemory_policy": policy}


def test_by_the_queues_length() -> None:
    room = room_in("shop", 98, {}, limits())
    assert [room.take(10**9) for _ in range(3)] == [True, True, False]
    assert room.is_full
    assert room.why == "queue 'shop' has 98 messages; max_queue is 100"


@pytest.mark.parametrize("length", [100, 101, 10**6])
def test_a_queue_at_its_limit_or_beyond_has_none(length: int) -> None:
    assert room_in("shop", length, {}, limits()).is_full


@pytest.mark.parametrize(
    ("max_memory", "maxmemory", "policy", "bound"),
    [
        (500 * MB, 0, "noeviction", 500 * MB),
        (500 * MB, 1000 * MB, "noeviction", 500 * MB),
        (500 * MB, 100 * MB, "noeviction", 90 * MB),
        (None, 100 * MB, "noeviction", 90 * MB),
        (None, 100 * MB, "allkeys-lru", None),
        (None, 0, "noeviction", None),
    ],
)
def test_by_the_memory_of_its_redis(max_memory: int | None, maxmemory: int, policy: str, bound: int | None) -> None:
    room = room_in("shop", 0, memory(80 * MB, maxmemory, policy), limits(max_memory=max_memory))
    if bound is None:
        assert room.bytes == room.ever == float("inf")
    else:
        assert room.bytes == bound - 80 * MB - BYTES_IN_FLIGHT
        assert room.ever == bound - BYTES_IN_FLIGHT


def test_where_memory_is_scarce_it_says_so() -> None:
    room = room_in("shop", 0, memory(99 * MB), limits(max_memory=100 * MB))
    assert room.is_full
    assert room.why == "its Redis uses 99,000,000 bytes; deliveries stop before 100,000,000"


@given(st.lists(st.integers(0, 3 * MB)), st.integers(0, 10), st.integers(0, 5 * MB))
def test_no_more_is_taken_than_there_is(sizes: list[int], messages: int, left: int) -> None:
    room = Room(messages, float(left))
    taken = [size for size in sizes if room.take(size)]
    assert len(taken) <= messages
    assert sum(map(cost_of, taken)) <= left
