"""Races of a purge with whoever accepts, collects and delivers: nothing is left or stuck, and the money stays."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.operators.purge.group import Group, purge_group
from overnight_models.ledger.operators.purge.wanted import Purge
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests import finding
from tests.driving import Service, blocked, callback, item
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("apart")

SECRET = "pl4nt3d-of-acme"
Json = dict[str, Any]
TARGET = Target(1, "", "shop")


@pytest.fixture
def mine(service: Service) -> Database:
    return service.other_process()


def theirs(key: str, **more: Any) -> Json:
    text = f"{SECRET} asks about {key}"
    return item(f"{SECRET}-{key}", text, **({"tenant": "acme", "callback": callback(args=[SECRET])} | more))


def purge(database: Database) -> Group:
    """A purge's group: all of the tenant's."""
    wanted = Purge(items=ItemFilter(tenant="acme"), cancel=True)
    with database.transaction() as connection:
        return purge_group(connection, wanted, after=0, until=10**12, limit=1000)


def places_with_it(service: Service) -> set[str]:
    return finding.in_tables(service.database_url, SECRET) - {"inbox.verdict"}


def at_the_api(service: Service) -> None:
    """Their items, and one of others, in a batch that has ended."""
    service.accept(*(theirs(str(n)) for n in range(20)), item("ours"))
    pack()
    submit()
    poll()


def is_whole(service: Service) -> None:
    """Nothing of theirs is left or stuck; what was sent is billed, and what others have is there."""
    service.finish()
    assert places_with_it(service) == set()
    assert set(service.ledger.states("item")) <= {"succeeded", "canceled"}
    assert service.ledger.item("ours")["state"] == "succeeded"
    assert (
        len(service.ledger.fetch_all("SELECT FROM bill WHERE cost_nano > 0")) == service.api.meter()["requests"] == 21
    )
    assert [row["item_id"] for row in service.ledger.fetch_all("SELECT item_id FROM delivery")] == []


@pytest.mark.parametrize("first", ["purge", "collect"])
def test_a_purge_and_a_collector_of_the_same_items_either_first(service: Service, mine: Database, first: str) -> None:
    at_the_api(service)
    acts: dict[str, Callable[[], object]] = {"purge": lambda: purge(mine), "collect": collect}
    second = next(name for name in acts if name != first)
    with ThreadPoolExecutor(2) as pool, service.other_process().transaction() as holder:
        holder.exec_driver_sql("SELECT FROM item ORDER BY id FOR UPDATE")
        first_act = pool.submit(acts[first])
        wait_until(lambda: blocked(service) == 1)
        other = pool.submit(acts[second])
        wait_until(lambda: blocked(service) == 2)
        holder.commit()
        first_act.result(60)
        other.result(60)
    purge(mine)
    is_whole(service)


def test_a_deliverer_hands_over_nothing_of_what_is_being_purged(service: Service, mine: Database) -> None:
    at_the_api(service)
    collect()
    wanted = Purge(items=ItemFilter(tenant="acme"), cancel=True)
    with mine.transaction() as connection:
        assert purge_group(connection, wanted, after=0, until=10**12, limit=1000).purged == 20
        deliver()
        assert service.queue() == []
    deliver()
    assert service.queue() == []
    is_whole(service)


def test_what_is_being_delivered_is_kept_and_goes_when_it_was_taken(service: Service, mine: Database) -> None:
    at_the_api(service)
    collect()
    target = service.ledger.fetch_one("SELECT id, broker, queue FROM target")
    with ThreadPoolExecutor(1) as pool, process.database().transaction() as connection:
        place = Target(target["id"], target["broker"], target["queue"])
        due = deliveries.claim(connection, place, limit=100, lease_s=60)
        assert len(due) == 20
        purging = pool.submit(purge, mine)
        wait_until(lambda: blocked(service) == 1)
        connection.commit()
        assert purging.result(60).purged == 0
    with process.database().transaction() as connection:
        deliveries.taken(connection, [delivery.item_id for delivery in due])
    assert purge(mine).purged == 20
    is_whole(service)


def test_a_message_that_is_accepted_while_its_item_is_purged_brings_nothing_back(
    service: Service, mine: Database
) -> None:
    at_the_api(service)
    again = theirs("7") | {"if_known": "deliver", "callback": callback("other", args=[SECRET])}
    wanted = Purge(items=ItemFilter(tenant="acme"), cancel=True)
    with ThreadPoolExecutor(1) as pool, mine.transaction() as connection:
        purge_group(connection, wanted, after=0, until=10**12, limit=1000)
        accepting = pool.submit(service.accept_elsewhere, [again])
        wait_until(lambda: blocked(service) == 1)
        connection.commit()
        assert accepting.result(60) == (0, 1)
    is_whole(service)


def test_what_is_committed_after_a_purge_looked_goes_with_the_next(service: Service, mine: Database) -> None:
    at_the_api(service)
    with ThreadPoolExecutor(1) as pool, service.other_process().transaction() as holder:
        holder.exec_driver_sql("LOCK TABLE request IN SHARE MODE")  # whoever accepts waits before it has committed
        accepting = pool.submit(service.accept_elsewhere, [theirs("late")])
        wait_until(lambda: blocked(service) == 1)
        holder.rollback()
        assert accepting.result(60) == (1, 0)
    assert places_with_it(service)
    assert purge(mine).purged == 21
    is_whole(service)
