"""Deadlines at risk in a batch that isn't sent yet: what would be late leaves it, and nothing is paid twice."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_models.ledger.direct import claim as claims
from overnight_models.ledger.direct import places
from overnight_models.ledger.submit import submit as submits
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget, seen
from tests.driving import Service, item
from tests.stages.routing.remembered import ONE_TO_SIX_HOURS, batches_took, by_deadline, within


def packed(service: Service, **lane: Any) -> None:
    """Two items are in a batch that isn't sent yet; one of them would be late by now."""
    by_deadline(service, max_wait="0s", **lane)
    batches_took(service, ONE_TO_SIX_HOURS)
    service.accept(item("soon", deadline=within(7)), item("late", deadline=within(20)))
    assert pack() == "1 batches, 2 items"
    service.ledger.execute("UPDATE item SET deadline = now() + interval '4 h' WHERE id = 1")


def states(service: Service) -> list[str]:
    return [service.ledger.item(key)["state"] for key in ("soon", "late")]


def take(service: Service) -> claims.Taken:
    """What the direct road takes now."""
    with process.database().transaction() as connection:
        (place,) = places.sources(connection, ["default"])
        return claims.take(
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


@pytest.mark.parametrize("rescue", ["race", "cancel_first", "off"])
def test_what_would_be_late_leaves_the_unsent_batch_and_is_paid_once(service: Service, rescue: str) -> None:
    packed(service, rescue=rescue)
    budget()
    sweep()
    assert states(service) == ["waiting", "batched"]
    assert pack() == "0 batches, 0 items", "no other batch takes it"
    submit()
    direct()
    poll()
    collect()
    assert states(service) == ["succeeded", "succeeded"]
    bill = {row["key"]: row["via"] for row in service.ledger.fetch_all(
        "SELECT key, via FROM whole_outcome JOIN request USING (item_id)"
    )}  # fmt: skip
    assert bill == {"soon": "direct", "late": "batch"}
    assert service.api.meter()["billed"] == 2
    assert (seen().spent_nano, seen().reserved_nano) == (service.api.meter()["nano"], 0)


def test_what_is_in_time_stays_in_the_unsent_batch(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE item SET deadline = now() + interval '5 h 45 min 22 s' WHERE id = 1")
    sweep()
    assert states(service) == ["batched", "batched"]


def test_a_batch_that_every_item_left_is_never_sent(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE item SET deadline = now() + interval '3 h'")
    sweep()
    direct()
    submit()
    assert service.ledger.states("batch")[-1] == "canceled"
    assert service.api.meter()["billed"] == 2


def test_an_item_in_a_call_when_its_batch_is_sent_stays_out_of_it_and_comes_home(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE item SET direct_at = now() WHERE id = 1")
    taken = take(service)
    assert states(service) == ["racing", "batched"]
    submit()
    assert states(service) == ["direct", "batched"]
    assert taken.claim is not None
    with process.database().transaction() as connection:
        claims.give_back(connection, taken.claim.id, taken.claim.number, [call.item_id for call in taken.asked])
    direct()
    poll()
    collect()
    assert states(service) == ["succeeded", "succeeded"]
    assert service.api.meter()["billed"] == 2


def test_an_item_whose_batch_is_being_written_is_not_raced(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE item SET direct_at = now() WHERE id = 1")
    with process.database().transaction() as connection:
        assert submits.claim(connection, token="t" * 20, owner=process.database().owner(), lease_s=60)
    assert take(service).asked == []
    assert states(service) == ["batched", "batched"]
    with process.database().transaction() as connection:
        assert places.sources(connection, ["default"]) == [], "it isn't asked for again at once"
