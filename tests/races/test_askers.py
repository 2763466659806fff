"""Races for a key that is known: two who ask for its outcome, one who asks while it is redone, one who cancels."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import uuid4

import orjson
import pytest

from overnight_models.ledger import redo
from overnight_models.ledger.cancel import cancel
from overnight_workers import process
from overnight_workers.stages.accept.accept import accept
from tests.driving import Service, blocked, callback, item
from tests.service.ledger import Json
from tests.waiting import wait_until


@pytest.fixture
def service(service: Service) -> Service:
    """Names are looked up before the race."""
    service.accept(item("another"), wish("another", "crm"))
    process.names().run("r")
    return service


def wish(key: str, queue: str) -> Json:
    """The same request for somebody else's callback."""
    return item(key, callback=callback(queue), if_known="deliver")


def message_of(*items: Json) -> Callable[[], str]:
    """Accept them as a message of their own."""
    lines = "\n".join(orjson.dumps(wire_item).decode() for wire_item in items)
    return lambda: str(accept(v=1, message_id=str(uuid4()), lane="default", items=lines))


def both_at_once(service: Service, first: Callable[[], str], second: Callable[[], str]) -> list[str]:
    """Both really wait for the same item, and then go on one after the other."""
    with ThreadPoolExecutor(2) as pool, service.other_process().transaction() as holder:
        holder.exec_driver_sql("SELECT FROM item ORDER BY id FOR UPDATE")
        running: list[Future[str]] = [pool.submit(first), pool.submit(second)]
        wait_until(lambda: blocked(service) == 2)
        holder.commit()
        return [asker.result(60) for asker in running]


def followers(service: Service, key: str) -> int:
    return int(
        service.ledger.fetch_one(
            "SELECT count(*) AS n FROM follower JOIN request ON request.item_id = follower.of_item_id WHERE key = %s",
            key,
        )["n"]
    )


def test_two_that_ask_for_the_same_outcome_with_the_same_wish_at_once_are_one_follower(service: Service) -> None:
    service.accept(item("a"))
    said = both_at_once(service, message_of(wish("a", "crm")), message_of(wish("a", "crm")))
    assert [verdict.partition(": ")[2] for verdict in said] == ["0 accepted, 1 known, 0 rejected"] * 2
    assert followers(service, "a") == 1
    service.finish()
    assert len([message for message in service.queue("crm") if '"a"' in message["body"]]) == 1


def test_two_that_ask_for_the_same_outcome_with_two_wishes_at_once_both_get_it(service: Service) -> None:
    service.accept(item("a"))
    both_at_once(service, message_of(wish("a", "crm")), message_of(wish("a", "full")))
    assert followers(service, "a") == 2
    service.finish()
    assert len(service.queue("full")) == 1


def test_the_same_wish_twice_in_one_message_is_one_follower(service: Service) -> None:
    service.accept(item("a"))
    again = wish("a", "crm")
    verdict = service.accept(wish("a", "crm"), again)
    assert (verdict["known"], verdict["delivered"]) == (2, 2)
    assert followers(service, "a") == 1
    assert again["id"] in verdict["stand_for"]


def test_whoever_asks_while_the_item_is_redone_follows_the_new_try_and_nobody_deadlocks(service: Service) -> None:
    service.accept(item("a", fault="refused:1"))
    service.finish()
    old = int(service.ledger.item("a")["id"])
    asks = message_of(item("a", fault="refused:1", callback=callback("crm"), if_known="deliver"))
    with ThreadPoolExecutor(1) as pool:
        with service.other_process().transaction() as redoing:
            assert redo.lock(redoing, [old]) == [old]
            asking = pool.submit(asks)
            wait_until(lambda: blocked(service) == 1)
            (new,) = redo.redo(redoing, [old]).values()
        asking.result(60)
    assert (
        service.ledger.fetch_one("SELECT of_item_id FROM follower ORDER BY item_id DESC LIMIT 1")["of_item_id"] == new
    )
    service.finish()
    assert len([message for message in service.queue("crm") if '"a"' in message["body"]]) == 1


def test_a_cancel_while_its_outcome_is_asked_for_by_another_is_told_to_both(service: Service) -> None:
    service.accept(item("a"))
    leader = int(service.ledger.item("a")["id"])
    with ThreadPoolExecutor(1) as pool:
        with service.other_process().transaction() as canceling:
            assert cancel(canceling, leader) == "canceled"
            asking = pool.submit(message_of(wish("a", "crm")))
            wait_until(lambda: blocked(service) == 1)
        asking.result(60)
    rows = service.ledger.fetch_all(
        "SELECT item.state FROM item JOIN request ON request.item_id = item.id WHERE key = 'a'"
    )
    assert [row["state"] for row in rows] == ["canceled", "canceled"]
    service.finish()
    outcomes = [orjson.loads(message["body"])[0][0] for message in service.queue("crm")]
    assert [outcome["problem"] for outcome in outcomes if not outcome["ok"]] == ["canceled"]
