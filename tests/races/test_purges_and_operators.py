"""Races of a purge with an operator's other wishes: what is gone is neither asked nor delivered again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import replay
from overnight_models.ledger.operators import redoing
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge.group import Group, purge_group
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_workers import process
from overnight_workers.stages.deliver.deliver import deliver
from tests import finding
from tests.driving import Service, blocked, callback, item
from tests.waiting import wait_until

SECRET = "pl4nt3d-of-acme"
Json = dict[str, Any]


@pytest.fixture
def other(service: Service) -> Database:
    """The connections of whoever acts beside the purge."""
    return service.other_process()


def theirs(key: str, **more: Any) -> Json:
    return item(f"{SECRET}-{key}", f"{SECRET} asks about {key}", tenant="acme", callback=callback(), **more)


def while_purged(service: Service, act: Callable[[], int]) -> tuple[int, int]:
    """Somebody acts while a purge has done its group, and hasn't committed. How many were purged; what the act says."""
    wanted = Purge(items=ItemFilter(tenant="acme"), cancel=True)
    with ThreadPoolExecutor(1) as pool, process.database().transaction() as connection:
        group: Group = purge_group(connection, wanted, after=0, until=10**12, limit=1000)
        acting = pool.submit(act)
        wait_until(lambda: acting.done() or blocked(service) == 1)
        connection.commit()
        return group.purged, acting.result(60)


def test_what_is_redone_while_it_is_purged_is_not_asked_again(service: Service, other: Database) -> None:
    service.accept(theirs("a", fault="errored:invalid_request_error"))
    service.finish()

    def redo() -> int:
        with other.transaction() as connection:
            wanted = ItemFilter(problem="any")
            return redoing.redo_group(connection, wanted, after=0, until=10**12, limit=1000)[0]

    assert while_purged(service, redo) == (1, 0)
    assert service.ledger.states("item") == ["failed"]


def test_what_is_replayed_while_it_is_purged_is_not_delivered_again(service: Service, other: Database) -> None:
    service.accept(theirs("a"))
    service.round()
    service.empty()
    assert service.ledger.fetch_all("SELECT FROM delivery") == [], "handed over at once"

    def again() -> int:
        with other.transaction() as connection:
            return replay.replay(connection, replay.Replayed("delivered"), after=0, until=10**12, limit=1000)[0]

    assert while_purged(service, again) == (1, 0)
    deliver()
    assert (service.queue(), service.ledger.states("delivery")) == ([], [])
    assert finding.in_tables(service.database_url, SECRET) <= {"inbox.verdict"}
