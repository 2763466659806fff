"""What collect hands over itself, right after its commit: the same messages, and nothing of it lost or sent twice."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import redis

from overnight_models.wire.outcome import Outcome
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver import deliver as stage
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item


def messages(service: Service) -> dict[str, Any]:
    """What waits in the product's queue, by delivery id."""
    waiting = service.queue()
    by_id = {message["headers"]["id"]: message for message in waiting}
    assert len(by_id) == len(waiting)
    return by_id


def test_collect_hands_over_what_it_has_just_recorded(service: Service) -> None:
    service.accept(*(item(f"k{n}", callback=callback()) for n in range(3)))
    service.round()
    assert service.ledger.states("delivery") == ["delivered"] * 3
    assert len(messages(service)) == 3
    assert service.ledger.fetch_all("SELECT DISTINCT tries, error FROM every_delivery") == [{"tries": 1, "error": None}]
    assert deliver() == "0 delivered"


def test_its_messages_are_those_that_deliver_would_send(service: Service) -> None:
    service.accept(
        item("plain", callback=callback(args=[7], kwargs={"sku": "A1"})),
        item("named", callback=callback(ack=True), tenant="t", trace_id="x"),
        item("odd", fault="api_error", callback=callback()),
        item("wrong", fault="invalid_request_error", callback=callback()),
        run="nightly",
    )
    for _ in range(3):
        service.clock.pauses_are_over()
        service.round()
    at_once = messages(service)
    assert len(at_once) == 4
    with redis.Redis.from_url(service.redis_url) as client:
        client.delete("shop")
    service.ledger.give_rows()
    service.ledger.execute("UPDATE delivery SET state = 'due', due_at = now()")
    deliver()
    later = messages(service)
    for delivery_id, message in at_once.items():
        # the tag that a broker's consumer acknowledges by is drawn for each message
        message["properties"]["delivery_tag"] = later[delivery_id]["properties"]["delivery_tag"]
    assert at_once == later


def test_one_killed_after_the_commit_is_followed_by_deliver(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    pack()
    submit()
    poll()
    with monkeypatch.context() as patched:
        patched.setattr(stage, "hand_over", _die)
        with pytest.raises(KeyboardInterrupt):
            collect()
    assert service.ledger.states("delivery") == ["sending"] * 2
    assert deliver() == "0 delivered", "its time isn't over"
    service.clock.leases_lapse()
    sweep()
    assert deliver() == "2 delivered"
    assert len(messages(service)) == 2
    service.finish()
    assert service.api.meter()["billed"] == 2


def _die(*_: object) -> int:
    raise KeyboardInterrupt


def test_what_has_no_room_waits_and_nothing_more_is_handed_over_at_once(service: Service) -> None:
    service.configure(brokers={"crm": {"url": service.redis_url, "max_queue": 2}})
    service.accept(*(item(f"k{n}", callback=callback(broker="crm")) for n in range(5)))
    service.round()
    assert service.ledger.states("delivery").count("due") == 3
    assert service.ledger.fetch_one("SELECT max(tries) AS n FROM delivery WHERE state = 'due'")["n"] == 0, (
        "waiting is no try"
    )
    service.accept(item("one more", callback=callback(broker="crm")))
    service.round()
    assert service.ledger.states("delivery").count("due") == 4
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM obstacle")["n"] == 1


def test_a_broker_that_is_away_or_refuses_costs_nothing_but_time(service: Service) -> None:
    service.configure(brokers={"crm": {"url": "redis://127.0.0.1:1/0"}})
    with redis.Redis.from_url(service.redis_url) as client:
        client.set("odd", "not a list")
    service.accept(
        item("away", callback=callback(broker="crm")),
        item("refused", callback=callback("odd")),
        item("fine", callback=callback()),
    )
    service.round()
    rows = service.ledger.fetch_all(
        "SELECT request.key, state, tries FROM every_delivery JOIN request USING (item_id) ORDER BY request.key"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("away", "due", 0),
        ("fine", "delivered", 1),
        ("refused", "due", 1),
    ]
    assert service.ledger.states("item") == ["succeeded"] * 3


def test_one_of_which_no_message_can_be_made_is_turned_down_alone(service: Service) -> None:
    service.configure(lane={"max_deliveries": 1})
    service.accept(item("a", callback=callback()), item("b", callback=callback()))
    service.ledger.execute("UPDATE request SET callback = '[]' WHERE item_id = %s", service.ledger.item("a")["id"])
    service.round()
    assert service.ledger.states("delivery") == ["dead", "delivered"]
    assert (
        "no message can be made" in service.ledger.fetch_one("SELECT error FROM delivery WHERE state = 'dead'")["error"]
    )
    (message,) = messages(service).values()
    (document, *_), _, _ = orjson.loads(message["body"])
    assert Outcome.read(document).key == "b"
