"""Rescues: an item is sent in real time while its batch goes on; the first answer is kept, the second is a double."""

from __future__ import annotations

from overnight_models.ledger.direct import claim as claims
from overnight_models.ledger.direct import places
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget, seen
from tests.driving import Service, callback, item


def at_risk(service: Service, *keys: str, **more: str) -> None:
    """Items are in a batch at the API, and are to be sent beside it."""
    service.configure(lane={"max_maybe_billed": 0})
    service.accept(*(item(key, callback=callback(), **more) for key in keys))
    pack()
    submit()
    service.ledger.execute("UPDATE item SET direct_at = now() WHERE state = 'batched'")


def test_the_first_answer_is_kept_and_the_second_is_billed_shown_and_dropped(service: Service) -> None:
    at_risk(service, "a", "b")
    budget()
    direct()
    assert {row["via"] for row in service.ledger.fetch_all("SELECT via FROM outcome")} == {"direct"}
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    poll()
    collect()
    spent = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano, sum(paid_twice) AS twice FROM spending")
    assert (spent["nano"], spent["twice"]) == (service.api.meter()["nano"], 2)
    assert len(service.queue()) == 2, "each outcome is delivered once"
    assert (seen().spent_nano, seen().reserved_nano) == (service.api.meter()["nano"], 0)


def test_a_call_that_brings_nothing_leaves_the_item_to_its_batch(service: Service) -> None:
    at_risk(service, "a")
    service.api.fault("messages", "lose_answer", count=1)
    direct()
    assert service.ledger.states("item") == ["batched"]
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM maybe_billed")["n"] == 1
    poll()
    collect()
    assert service.ledger.states("item") == ["succeeded"]
    assert service.ledger.fetch_one("SELECT via FROM whole_outcome")["via"] == "batch"


def test_a_batch_that_brings_nothing_leaves_the_item_to_its_call(service: Service) -> None:
    at_risk(service, "a", fault="expired")
    with process.database().transaction() as connection:
        (place,) = places.sources(connection, ["default"])
        taken = claims.take(
            connection,
            place,
            None,
            process.prices(),
            owner=process.database().owner(),
            lease_s=600,
            limit=3,
            max_bytes=10**6,
            counts_first=False,
        )
    assert service.ledger.states("item") == ["racing"]
    poll()
    collect()
    assert service.ledger.states("item") == ["direct"]
    assert service.ledger.states("batch") == ["collected"]
    assert taken.claim is not None
    with process.database().transaction() as connection:
        claims.give_back(connection, taken.claim.id, taken.claim.number, [call.item_id for call in taken.asked])
    direct()
    assert service.ledger.states("item") == ["succeeded"]
