"""Races for items: two that accept the same keys, two that pack the same lane."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.database import Database
from overnight_models.ledger.pack.pack import Waiting, pack, take_turn, waiting
from overnight_models.ledger.rows import fetch_all
from overnight_workers import process
from overnight_workers.stages.pack import pack as stage
from tests.driving import Service, blocked, item
from tests.waiting import wait_until


@pytest.fixture
def other(service: Service) -> Database:
    """Another process's connection."""
    return service.other_process()


def turn(connection: Connection) -> Waiting:
    """The only lane with anything in it, this packer's now."""
    (source,) = waiting(connection)
    now = take_turn(connection, source)
    assert now is not None
    return now


def packed(connection: Connection, source: Waiting, max_items: int = 9) -> int:
    """How many items it packs."""
    return pack(connection, source, process.prices(), max_items=max_items, max_bytes=10**6).items


def test_two_packers_of_one_lane_take_turns_and_the_second_packs_what_is_due_then(service: Service) -> None:
    """Were its look from before its turn, it would make a batch of the one item that is left."""
    service.configure(lane={"max_items": 4, "max_wait": "1h"})
    service.accept(*(item(f"k{n}") for n in range(5)))
    with ThreadPoolExecutor(1) as pool, service.other_process().transaction() as first:
        source = turn(first)
        second = pool.submit(stage.pack)
        wait_until(lambda: blocked(service) == 1)
        assert packed(first, source, 4) == 4
        first.commit()
        assert second.result(60) == "0 batches, 0 items"
    assert service.ledger.states("item").count("waiting") == 1


def test_two_packers_of_two_lanes_both_get_theirs(service: Service, other: Database) -> None:
    service.configure(lanes={"night": {}})
    service.accept(item("a"))
    service.accept(item("b"), lane="night")
    mine = service.other_process()
    with mine.transaction() as first, other.transaction() as second:
        earlier, later = waiting(first)
        assert take_turn(first, earlier)
        assert packed(first, earlier) == 1
        assert take_turn(second, later)
        assert packed(second, later) == 1


def test_a_packer_that_looked_before_another_committed_packs_nothing_twice(service: Service, other: Database) -> None:
    service.accept(item("a"), item("b"))
    mine = service.other_process()
    with other.transaction() as second:
        (stale,) = waiting(second)
        with mine.transaction() as first:
            assert packed(first, turn(first)) == 2
        assert take_turn(second, stale) is None
        assert packed(second, stale) == 0
    assert len(service.ledger.states("batch")) == 1


def test_two_accepts_of_the_same_keys_in_opposite_orders_take_turns(service: Service) -> None:
    """The first holds its keys; the second really waits for them, and finds them known."""
    mine = service.other_process()
    with ThreadPoolExecutor(1) as pool, mine.transaction() as first:
        first.exec_driver_sql("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE")
        items = [item(f"k{n}") for n in range(50)]
        first_done = pool.submit(service.accept_elsewhere, items)
        wait_until(lambda: blocked(service) == 1)
        with ThreadPoolExecutor(1) as another:
            second_done = another.submit(service.accept_elsewhere, items[::-1])
            wait_until(lambda: blocked(service) == 2)
            first.commit()
            assert first_done.result(60) == (50, 0)
            assert second_done.result(60) == (0, 50)
    assert len(service.ledger.states("item")) == 50


def test_two_accepts_that_both_wait_in_the_middle_of_their_keys_do_not_deadlock(service: Service) -> None:
    """Were the keys written in the order of the items, each would hold what the other wants next."""
    items = [item(f"k{n}") for n in range(51)]
    service.accept(item("names are looked up before the race"))
    with ThreadPoolExecutor(2) as pool, service.other_process().transaction() as holder:
        fetch_all(
            holder,
            "INSERT INTO item_key (lane_id, key_hash, item_id, content_hash) VALUES (1, :hash, 0, '')",
            hash=key_hash("k25"),
        )
        both = [pool.submit(service.accept_elsewhere, order) for order in (items, items[::-1])]
        wait_until(lambda: blocked(service) == 2)
        holder.rollback()
        assert sorted(packer.result(60) for packer in both) == [(0, 51), (51, 0)]
    assert len(service.ledger.states("item")) == 52
