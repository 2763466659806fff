"""Canceling: a wish that comes before its item sticks to it, and is about that item only."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from sqlalchemy import Connection

from overnight_models.ledger import answer, recall
from overnight_producers import Item, NotYet, Overnight
from overnight_workers import process
from tests.driving import Service, blocked, item, params
from tests.stages.product.conftest import take_in
from tests.waiting import wait_until


def test_right_after_enqueue_it_sticks(service: Service, product: Overnight) -> None:
    receipt = product.enqueue(params("Never mind"), key="a")
    product.enqueue(params("Go on"), key="b")
    assert product.cancel(receipt) == "canceled"
    assert product.cancel(receipt) == "canceled", "twice is as once"
    take_in(service)
    service.finish()
    assert (service.ledger.item("a")["state"], service.ledger.item("a")["problem"]) == ("canceled", "canceled")
    assert service.api.meter()["requests"] == 1
    assert service.ledger.fetch_all("SELECT * FROM recall") == []
    assert product.wait(receipt, timeout=60).problem == "canceled"


def test_of_many_one_is_taken_back(service: Service, product: Overnight) -> None:
    sent = product.enqueue_many(Item(params=params(f"Item {n}")) for n in range(3))
    second = list(sent.receipts())[1]
    assert product.cancel(second) == "canceled"
    take_in(service)
    assert service.ledger.states("item") == ["waiting", "canceled", "waiting"]


def test_one_whose_key_is_taken_is_not_said_to_be_canceled_before_it_is_known_what_it_is(
    service: Service, product: Overnight
) -> None:
    product.enqueue(params("Who is Ada?"), key="a")
    take_in(service)
    other = product.enqueue(params("Who is Bob?"), key="a")
    with pytest.raises(NotYet):
        product.cancel(other)
    take_in(service)
    assert service.ledger.states("item") == ["waiting"], "it was turned down: nothing of others is canceled"


def test_one_that_is_the_same_item_again_cancels_it(service: Service, product: Overnight) -> None:
    product.enqueue(params("Who is Ada?"), key="a")
    take_in(service)
    again = product.enqueue(params("Who is Ada?"), key="a")
    with pytest.raises(NotYet):
        product.cancel(again)
    take_in(service)
    assert service.ledger.states("item") == ["canceled"]
    assert product.cancel(again) == "canceled"


def test_a_wish_that_comes_while_its_item_is_being_accepted_is_not_overlooked(
    service: Service, product: Overnight
) -> None:
    """The acceptor has looked for wishes and hasn't committed: whoever cancels waits, and then sees the item."""
    receipt = product.enqueue(params("Just now"), key="a")
    with process.database().transaction() as connection:
        assert recall.take(connection, [receipt.item_id]) == set()
        canceled: list[str] = []
        canceling = threading.Thread(target=lambda: canceled.append(product.cancel(receipt)))
        canceling.start()
        wait_until(lambda: blocked(service))
    canceling.join(60)
    assert canceled == ["canceled"]
    take_in(service)
    assert service.ledger.states("item") == ["canceled"]


def test_one_that_is_accepted_while_it_is_looked_for_is_canceled(
    service: Service, product: Overnight, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its key was looked for before it was there, and its message's verdict after: it isn't unknown."""
    receipt = product.enqueue(params("In between"), key="a")
    verdicts = answer.verdicts

    def accepted_meanwhile(connection: Connection, message_ids: Sequence[UUID]) -> dict[str, str | None]:
        monkeypatch.setattr(answer, "verdicts", verdicts)
        with ThreadPoolExecutor(1) as another:
            another.submit(take_in, service).result()
        return verdicts(connection, message_ids)

    monkeypatch.setattr(answer, "verdicts", accepted_meanwhile)
    assert product.cancel(receipt) == "canceled"
    assert service.ledger.states("item") == ["canceled"]


def test_by_its_key_alone_one_on_its_way_is_unknown(service: Service, product: Overnight) -> None:
    product.enqueue(params("On its way"), key="a")
    assert product.cancel(key="a") == "unknown"


def test_a_wish_whose_item_never_comes_is_forgotten(service: Service, product: Overnight) -> None:
    product.cancel(product.enqueue(params("Lost with Redis"), key="a"))
    service.ledger.execute("UPDATE recall SET at = now() - interval '8 days'")
    with process.database().transaction() as connection:
        assert recall.forget(connection) == 1
    service.accept(item("a", "Lost with Redis"))
    assert service.ledger.states("item") == ["waiting"]
