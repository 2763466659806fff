"""Races for money on both roads: direct workers take items beside packers, within the same budgets."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from overnight_models.ledger.database import Database
from overnight_models.ledger.direct import claim, places
from overnight_models.ledger.direct.claim import Claim
from overnight_models.ledger.direct.places import Place
from overnight_models.ledger.rows import fetch_all
from overnight_workers import process
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.rescue import sweep
from tests.budgeting import budget, seen, worst
from tests.driving import Service, blocked, item
from tests.races.test_packers_within_budgets import all_of_it
from tests.waiting import wait_until

WORKERS = 20
ITEMS = 12
"""Of each lane; half of each tenant."""


def send_all_of_it(database: Database, lane: str) -> list[int]:
    """Take everything of one lane that is to be sent in real time, a few at once. Returns how many each time."""
    prices = process.prices()
    before: Claim | None = None
    taken: list[int] = []
    while True:
        with database.transaction() as connection:
            fetch_all(connection, "SET LOCAL lock_timeout = '60s'")
            found_places: list[Place] = places.sources(connection, [lane])
            if not found_places:
                return taken
            claimed = claim.take(
                connection,
                found_places[0],
                before,
                prices,
                owner=1,
                lease_s=600,
                limit=3,
                max_bytes=10**6,
                counts_first=False,
            )
            if not claimed.asked and not claimed.held:
                return taken
            before = claimed.claim
            taken.append(len(claimed.asked))


def test_twenty_direct_workers_and_twenty_packers_never_overspend_a_strict_cap(service: Service) -> None:
    """All forty stand at the same tenant's budget at once."""
    lanes = [f"lane{n:02}" for n in range(WORKERS)]
    fast = [f"fast{n:02}" for n in range(WORKERS)]
    service.configure(lanes={lane: {"max_wait": "0s"} for lane in lanes} | {lane: {"road": "direct"} for lane in fast})
    for lane in (*lanes, *fast):
        service.accept(*(item(f"{lane}-{n:02}", "x" * 20, tenant="a") for n in range(ITEMS)), lane=lane)
    worst_nano = worst(service, "lane00-00")
    cap = 100 * worst_nano + worst_nano // 2
    budget("a", cap, of="tenant", period="day")
    with ThreadPoolExecutor(2 * WORKERS) as pool, service.other_process().transaction() as holder:
        fetch_all(holder, "SELECT FROM budget FOR UPDATE")
        busy = [pool.submit(all_of_it, service.other_process(), lane) for lane in lanes]
        taking = [pool.submit(send_all_of_it, service.other_process(), lane) for lane in fast]
        wait_until(lambda: blocked(service) == 2 * WORKERS)
        holder.rollback()
        for packer in busy:
            packer.result(90)
        sent = sum(sum(worker.result(90)) for worker in taking)
    states = service.ledger.states("item")
    batched = states.count("batched")
    reserved = service.ledger.fetch_one("SELECT sum(reserved_nano)::bigint AS nano FROM booking")["nano"]
    # in real time the same costs twice as much
    assert (sent, reserved) == (states.count("direct"), (batched + 2 * sent) * worst_nano)
    assert cap - 2 * worst_nano < reserved <= cap
    assert batched + sent + states.count("held") == 2 * WORKERS * ITEMS


def test_what_direct_calls_cost_is_settled_and_what_they_reserved_is_free_again(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(*(item(key) for key in "abc"), item("d", fault="errored:invalid_request_error"))
    budget()
    direct()
    assert (seen().spent_nano, seen().reserved_nano) == (service.api.meter()["nano"], 0)


def test_what_may_have_been_billed_counts_as_spent(service: Service) -> None:
    service.configure(lane={"road": "direct", "max_maybe_billed": 0})
    service.accept(item("a"))
    budget()
    service.api.fault("messages", "lose_answer", count=1)
    direct()
    assert (seen().spent_nano, seen().reserved_nano) == (2 * worst(service, "a"), 0)


def test_a_budget_that_is_set_while_items_are_being_sent_reserves_for_them(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"))
    with ThreadPoolExecutor(1) as pool:
        with service.other_process().transaction() as taker:
            (place,) = places.sources(taker, ["default"])
            claim.take(
                taker,
                place,
                None,
                process.prices(),
                owner=1,
                lease_s=600,
                limit=3,
                max_bytes=10**6,
                counts_first=False,
            )
            setter = pool.submit(budget)
            wait_until(lambda: blocked(service) == 1)
        setter.result(60)
    assert (seen().spent_nano, seen().reserved_nano) == (0, 2 * worst(service, "a"))


def test_what_is_over_a_budget_is_held_and_goes_on_in_real_time(service: Service) -> None:
    service.configure(lane={"road": "direct"})
    service.accept(item("a"), item("b"))
    budget(nano=0)
    direct()
    assert service.ledger.states("item") == ["held", "held"]
    budget(nano=10**12)
    service.clock.pauses_are_over()
    sweep()
    direct()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]
    assert {row["via"] for row in service.ledger.fetch_all("SELECT via FROM outcome")} == {"direct"}
