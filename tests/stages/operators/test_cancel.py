"""Canceling: before it is sent an item is taken back and costs nothing; afterwards it is only not delivered."""

from __future__ import annotations

from overnight_models.ledger.answer import Asked, Standing, locate
from overnight_models.ledger.cancel import Canceled, cancel
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item


def take_back(service: Service, key: str = "a") -> Canceled:
    with process.database().transaction() as connection:
        return cancel(connection, service.ledger.item(key)["id"])


def test_while_it_waits(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("b"))
    assert take_back(service) == Canceled.CANCELED
    assert (service.ledger.item("a")["state"], service.ledger.item("a")["problem"]) == ("canceled", "canceled")
    service.finish()
    assert service.api.meter()["requests"] == 1
    assert service.ledger.states("delivery") == []


def test_while_its_batch_is_packed(service: Service) -> None:
    service.accept(item("a"), item("b"))
    pack()
    assert take_back(service) == Canceled.CANCELED
    submit()
    assert service.api.meter()["requests"] == 1
    assert service.ledger.fetch_one("SELECT items FROM submission")["items"] == 1
    service.finish()
    assert service.ledger.item("b")["state"] == "succeeded"


def test_a_batch_whose_last_item_was_taken_back_is_not_sent(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.accept(item("b"))
    pack()
    take_back(service)
    submit()
    assert service.ledger.states("batch") == ["canceled", "open"]
    assert service.api.meter()["creates"] == 1


def test_a_wish_that_came_while_it_was_packed_is_heard_before_it_is_sent(service: Service) -> None:
    service.accept(item("a"), item("b"))
    pack()
    service.ledger.execute("UPDATE item SET cancel_wanted = true WHERE id = %s", service.ledger.item("a")["id"])
    submit()
    assert service.ledger.item("a")["state"] == "canceled"
    assert service.api.meter()["requests"] == 1


def test_too_late_it_is_billed_and_recorded_and_not_delivered(service: Service) -> None:
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    pack()
    submit()
    assert take_back(service) == Canceled.TOO_LATE
    poll()
    collect()
    a = service.ledger.item("a")
    assert (a["state"], a["ok"], a["cost_nano"] > 0) == ("succeeded", True, True)
    assert len(service.ledger.fetch_all("SELECT 1 FROM bill")) == 2
    assert [row["item_id"] for row in service.ledger.fetch_all("SELECT item_id FROM every_delivery")] == [
        service.ledger.item("b")["id"]
    ]


def test_too_late_and_failed_it_is_not_tried_again(service: Service) -> None:
    service.accept(item("a", fault="errored:api_error:1"))
    pack()
    submit()
    take_back(service)
    service.finish()
    assert service.ledger.item("a")["state"] == "failed"
    assert service.api.meter()["creates"] == 1


def test_twice_is_as_once(service: Service) -> None:
    service.accept(item("a"))
    assert [take_back(service), take_back(service)] == [Canceled.CANCELED] * 2
    assert len(service.ledger.fetch_all("SELECT 1 FROM outcome")) == 1


def test_one_that_nobody_knows(service: Service) -> None:
    with process.database().transaction() as connection:
        assert cancel(connection, 12345) == Canceled.UNKNOWN
        assert locate(connection, Asked("default", "nobody")) == Standing()


def test_in_an_unclear_batch_it_is_too_late(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.api.fault("create", "lose_answer", count=1)
    submit()
    assert take_back(service) == Canceled.TOO_LATE
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"


def test_in_a_batch_that_turned_out_never_to_be_created_it_is_taken_back_before_the_next_create(
    service: Service,
) -> None:
    service.accept(item("a"))
    pack()
    service.api.fault("create", "close_after_body", count=1)
    submit()
    assert take_back(service) == Canceled.TOO_LATE
    service.clock.quiet_is_over()
    poll()
    submit()
    assert (service.ledger.item("a")["state"], service.ledger.states("batch")) == ("canceled", ["canceled"])
    assert service.api.meter()["creates"] == 0
