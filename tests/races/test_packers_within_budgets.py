"""Races for money: many that pack within one budget, and one that settles meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.database import Database
from overnight_models.ledger.pack.pack import Packed, pack, take_turn, waiting
from overnight_models.ledger.rows import fetch_all
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack import pack as stage
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import budget, seen, worst
from tests.driving import Service, blocked, item
from tests.waiting import wait_until

PACKERS = 20
ITEMS = 12
"""Of each lane; half of each tenant."""


def all_of_it(database: Database, lane: str) -> None:
    """Pack one lane until nothing of it waits."""
    prices = process.prices()
    while True:
        with database.transaction() as connection:
            fetch_all(connection, "SET LOCAL lock_timeout = '60s'")  # twenty connect before they are let go
            lane_id = fetch_all(connection, "SELECT id FROM lane WHERE name = :name", name=lane)[0]["id"]
            sizes = waiting(connection, lane_id=lane_id)
            now = take_turn(connection, sizes[0]) if sizes else None
            if now is None or pack(connection, now, prices, max_items=3, max_bytes=10**6) == Packed():
                return


def test_twenty_packers_within_strict_budgets_never_overspend_and_never_deadlock(service: Service) -> None:
    """All twenty stand at the same two tenants' budgets at once, in whatever order their items are."""
    lanes = [f"lane{n:02}" for n in range(PACKERS)]
    service.configure(lanes={lane: {"max_wait": "0s"} for lane in lanes})
    for lane in lanes:
        tenants = ("a", "b") if int(lane[-1]) % 2 else ("b", "a")
        service.accept(*(item(f"{lane}-{n:02}", "x" * 20, tenant=tenants[n % 2]) for n in range(ITEMS)), lane=lane)
    worst_nano = worst(service, "lane00-00")
    caps = {"a": 50 * worst_nano + worst_nano // 2, "b": 30 * worst_nano + worst_nano // 2}
    budget("a", caps["a"], of="tenant", period="day")
    budget("b", caps["b"], of="tenant", period="month")
    with ThreadPoolExecutor(PACKERS) as pool, service.other_process().transaction() as holder:
        fetch_all(holder, "SELECT FROM budget FOR UPDATE")
        packers = [pool.submit(all_of_it, service.other_process(), lane) for lane in lanes]
        wait_until(lambda: blocked(service) == PACKERS)
        holder.rollback()
        for packer in packers:
            packer.result(60)
    rows = service.ledger.fetch_all(
        """
        SELECT tenant.name, sum(reserved_nano)::bigint AS reserved, max(cap_nano) AS cap
        FROM booking JOIN budget ON budget.id = budget_id JOIN tenant ON tenant.id = tenant_id GROUP BY tenant.name
        """
    )
    assert {row["name"]: row["cap"] for row in rows} == caps
    assert {row["name"]: row["reserved"] for row in rows} == {"a": 50 * worst_nano, "b": 30 * worst_nano}
    assert service.ledger.states("item").count("batched") == 80
    assert service.ledger.states("item").count("held") == PACKERS * ITEMS - 80


def test_what_comes_after_a_packers_look_is_not_packed_without_its_budget(service: Service) -> None:
    service.accept(item("a", tenant="a"))
    budget("a", of="tenant")
    budget("b", 0, of="tenant")
    with ThreadPoolExecutor(1) as pool, service.other_process().transaction() as holder:
        fetch_all(holder, "SELECT FROM budget FOR UPDATE")
        packer = pool.submit(all_of_it, service.other_process(), "default")
        wait_until(lambda: blocked(service) == 1)
        service.accept(item("b", tenant="b"))
        holder.rollback()
        packer.result(60)
    assert (service.ledger.item("a")["state"], service.ledger.item("b")["state"]) == ("batched", "held")


def test_a_budget_that_is_set_while_a_batch_is_packed_reserves_for_it(service: Service) -> None:
    service.accept(item("a"))
    with ThreadPoolExecutor(1) as pool:
        with service.other_process().transaction() as packer:
            (source,) = waiting(packer)
            pack(packer, source, process.prices(), max_items=3, max_bytes=10**6)
            setter = pool.submit(budget)
            wait_until(lambda: blocked(service) == 1)
        setter.result(60)
    assert (seen().spent_nano, seen().reserved_nano) == (0, worst(service, "a"))


def test_a_budget_that_is_set_while_answers_are_recorded_counts_them_once(service: Service) -> None:
    service.accept(item("a"), item("b"))
    stage.pack()
    submit()
    batch_id = service.ledger.fetch_one("SELECT id FROM batch")["id"]
    answer = Arrival(
        service.ledger.item("a")["id"], Fate.SUCCEED, message=b"{}", billed=True, cost_nano=5, realtime_nano=10
    )
    source = Source(service.ledger.fetch_one("SELECT id FROM submission")["id"], batch_id, None, only_live=True)
    with ThreadPoolExecutor(1) as pool:
        with service.other_process().transaction() as recorder:
            outcomes.record(recorder, source, [answer], max_attempts=1)
            setter = pool.submit(budget)
            wait_until(lambda: blocked(service) == 1)
        setter.result(60)
    assert (seen().spent_nano, seen().reserved_nano) == (5, worst(service, "b"))


def test_whoever_settles_waits_for_no_packer(service: Service) -> None:
    service.accept(item("a", tenant="acme"))
    budget("acme", of="tenant")
    stage.pack()
    submit()
    poll()
    with service.other_process().transaction() as packer:
        fetch_all(packer, "SELECT FROM budget FOR NO KEY UPDATE")
        collect()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert (
        service.ledger.fetch_one("SELECT sum(spent_nano)::bigint AS n FROM booking")["n"] == service.api.meter()["nano"]
    )
