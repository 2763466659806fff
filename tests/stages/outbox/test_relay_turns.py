"""Two turns of a relay at once, in their order; what it connects by; what is left and counted when it dies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from overnight_models import crash_points
from overnight_models.ledger.database import Database
from overnight_models.ledger.relays import inbox
from overnight_models.wire.inbox import InboxTable
from overnight_producers import Item, Overnight
from overnight_workers import process
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.relay.handing_over import hand_over
from overnight_workers.relay.relay import Relay
from tests.driving import Service, params
from tests.stages.outbox.conftest import keys, left
from tests.waiting import wait_until


class Dies(BaseException):
    """As by kill -9."""


def second_turn_within_the_first(
    shop: str, service: Service, overnight: Overnight, relay: Relay, then: Callable[[threading.Thread], object]
) -> threading.Thread:
    """A turn that has taken the item a; another one takes b meanwhile, and reads it when `then` is called."""
    first, second = threading.current_thread(), threading.Thread(target=relay.turn)

    def hold(what: str) -> None:
        if what == "before handing over" and threading.current_thread() is first:
            with psycopg.connect(shop) as connection:
                overnight.enqueue(params(), key="b", session=connection)
            second.start()
            wait_until(lambda: service.ledger.fetch_all("SELECT message_id FROM inbox"))  # a try of b is counted
            then(second)

    with psycopg.connect(shop) as connection:
        overnight.enqueue(params(), key="a", session=connection)
    crash_points.armed = hold
    try:
        relay.turn()
    except Dies:
        pass
    finally:
        crash_points.armed = None
        second.join(60)
    return second


def test_of_two_turns_at_once_the_second_is_read_while_the_first_is_held_and_written_behind_it(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    # it would have written by then, did it not wait
    second_turn_within_the_first(shop, service, overnight, relay, lambda second: second.join(1.0))
    assert (left(shop), keys(service)) == ([], ["a", "b"])


def test_a_turn_that_fails_lets_the_one_behind_it_go_on(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    def die(_: object) -> None:
        raise Dies

    second = second_turn_within_the_first(shop, service, overnight, relay, die)
    assert (second.is_alive(), keys(service), len(left(shop))) == (False, ["b"], 1)
    assert (relay.turn(), keys(service)) == (1, ["b", "a"])


def test_what_a_dead_relay_had_begun_goes_alone_for_some_seconds_only_and_the_rest_in_the_next_turn(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    with psycopg.connect(shop) as connection:
        for key in "abc":
            overnight.enqueue(params(key), key=key, session=connection)

    def die(what: str) -> None:
        if what == "after commit" and service.ledger.fetch_all("SELECT FROM inbox WHERE verdict IS NULL"):
            raise Dies

    crash_points.armed = die
    try:
        with pytest.raises(Dies):
            relay.turn()
    finally:
        crash_points.armed = None
    with closing(Database(RelaySettings(database_url=shop).link)) as database, database.transaction() as of_relay:
        waiting = inbox.take(of_relay, InboxTable(), lambda _: False)
        verdicts = hand_over(waiting, relay="shop", before_writing=lambda: None, alone_s=0)
    assert (list(verdicts), keys(service)) == ([waiting[0].id], ["a"])
    assert (relay.turn(), keys(service), left(shop)) == (3, ["a", "b", "c"], [])


def test_while_its_inbox_is_full_a_second_turn_runs_beside_the_first(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    with psycopg.connect(shop) as connection:
        overnight.enqueue_many((Item(params=params(str(n))) for n in range(15_000)), session=connection)
    threads: set[str] = set()
    stop = threading.Event()

    def note(what: str) -> None:
        if what == "before handing over":
            threads.add(threading.current_thread().name)
            if len(threads) == 1:
                wait_until(lambda: len(threads) == 2)

    crash_points.armed = note
    thread = threading.Thread(target=relay.run, args=(stop, print))
    thread.start()
    try:
        wait_until(lambda: not left(shop))
    finally:
        crash_points.armed = None
        stop.set()
        thread.join()
    assert (len(threads), len(keys(service))) == (2, 15_000)


def test_a_password_that_was_replaced_needs_no_restart_of_the_relay(
    shop: str, service: Service, overnight: Overnight, tmp_path: Path
) -> None:
    place = tmp_path / "url"
    place.write_text("postgresql://nobody:old@127.0.0.1:1/nowhere\n")
    said: list[str] = []
    relay, stop = Relay("shop", RelaySettings(database_url=f"file:{place}", poll_every=0.01)), threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop, said.append))
    thread.start()
    try:
        wait_until(lambda: said)
        place.write_text(shop)
        with psycopg.connect(shop) as connection:
            overnight.enqueue(params(), key="a", session=connection)
        wait_until(lambda: keys(service) == ["a"])
    finally:
        stop.set()
        thread.join()
        relay.close()
    assert "old" not in "".join(said)


def test_a_relay_that_dies_before_it_deletes_leaves_what_the_next_one_finds_done(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    def die(what: str) -> None:
        if what == "after handing over":
            raise Dies

    with psycopg.connect(shop) as connection:
        overnight.enqueue_many([Item(params=params(str(n))) for n in range(3)], session=connection)
    crash_points.armed = die
    try:
        with pytest.raises(Dies):
            relay.turn()
    finally:
        crash_points.armed = None
    assert (len(keys(service)), len(left(shop))) == (3, 1)
    assert relay.turn() == 1
    assert (len(keys(service)), left(shop)) == (3, [])
    assert items_taken_on() == 3, "counted once"


def test_what_a_relay_took_on_before_it_died_is_counted(
    shop: str, service: Service, overnight: Overnight, relay: Relay
) -> None:
    with psycopg.connect(shop) as connection:
        overnight.enqueue_many([Item(params=params(str(n))) for n in range(3)], session=connection)
    assert relay.turn() == 1  # and it dies before it says how it stands
    assert items_taken_on() == 3


def items_taken_on() -> int:
    (seen,) = take_snapshot(process.database()).troubles.relays
    return seen.items
