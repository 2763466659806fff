"""A process that sends webhooks may die at any point: what it sent or was to send comes, with the same ids."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

from overnight_models import crash_points
from overnight_models.ledger.documents import delivery_id
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item
from tests.endpoints import SECRET, Endpoint, listening

_DIED = 77


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint, which the configuration calls `shop`."""
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as endpoint:
        service.configure(webhooks={"shop": endpoint.settings(group={"items": 2, "within": "0s"}, concurrency=1)})
        yield endpoint


def die_at(number: int) -> bool:
    """Send in a process that dies at its so manyeth point. Whether it came that far."""
    child = os.fork()
    if child == 0:  # pragma: no cover - it dies
        left = [number]

        def armed(what: str) -> None:
            left[0] -= 1
            if left[0] < 0:
                os._exit(_DIED)

        crash_points.armed = armed
        try:
            webhooks()
        except BaseException as error:  # noqa: BLE001 - the parent's pytest isn't to go on here
            sys.stderr.write(repr(error))
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, _DIED)
    return status == _DIED


def test_whoever_dies_while_it_sends_every_outcome_comes_and_always_with_its_id(
    service: Service, shop: Endpoint
) -> None:
    number = 0
    while True:
        service.answered(*(item(f"{number}-{key}", callback={"webhook": "shop"}) for key in "abc"))
        service.restart()
        died = die_at(number)
        service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '1 hour' WHERE state = 'sending'")
        service.ledger.execute("UPDATE target SET sender_until = now()")
        sweep()
        service.ledger.execute("UPDATE delivery SET due_at = due_at - interval '1 hour' WHERE state = 'due'")
        webhooks()
        assert set(service.ledger.states("delivery")) == {"delivered"}
        service.ledger.execute("DELETE FROM delivery")
        if not died:
            break
        number += 1
    assert number > 5
    outcomes = [outcome for came in shop.came for outcome in came.outcomes]
    keys = {row["key"]: delivery_id(row["receipt"]) for row in service.ledger.fetch_all("SELECT * FROM request")}
    assert {outcome["key"]: outcome["delivery_id"] for outcome in outcomes} == keys
    by_group: dict[tuple[str, ...], set[str]] = {}
    for came in shop.came:
        by_group.setdefault(tuple(came.keys), set()).add(came.headers["webhook-id"])
    assert {len(ids) for ids in by_group.values()} == {1}
