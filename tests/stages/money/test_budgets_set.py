"""Budgets that are set, lowered and taken away while items are on their way; what alone is over a cap; the command."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from overnight_models.errors import PermanentError
from overnight_models.ledger.money import budgets as ledger
from overnight_models.wire.outcome import dollars
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.operators import operator_overrides
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.budgeting import (
    both_turn_up,
    budget,
    only_the_culprits_is_freed,
    seen,
    spent_and_reserved,
    states,
    unclear,
    worst,
)
from tests.driving import Service, item, read_command


def test_a_new_budget_counts_what_was_billed_in_its_period_before(service: Service) -> None:
    service.accept(item("a", tenant="acme"))
    service.finish()
    budget("acme", of="tenant")
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)


def test_a_new_budget_reserves_for_what_is_on_its_way(service: Service) -> None:
    service.accept(item("a"), item("b"), item("c", tenant="acme"))
    pack()
    submit()
    service.accept(item("d"))
    budget("acme", of="tenant", period="month")
    assert spent_and_reserved() == (0, worst(service, "c"))
    service.finish()
    own = service.ledger.fetch_one("SELECT cost_nano FROM outcome JOIN request USING (item_id) WHERE key = 'c'")
    assert spent_and_reserved() == (own["cost_nano"], 0)


def test_a_new_budget_reserves_for_a_lost_submission_too(service: Service) -> None:
    operator_overrides.never_created(unclear(service), "a test")
    budget()
    assert spent_and_reserved() == (0, 2 * worst(service, "a"))
    both_turn_up(service)


def test_a_new_budget_is_full_when_what_is_on_its_way_needs_it_all(service: Service) -> None:
    service.accept(item("a"))
    pack()
    budget(nano=worst(service, "a"))
    service.accept(item("b"))
    pack()
    assert states(service, "a", "b") == ["batched", "held"]


def test_what_a_new_budget_reserved_goes_with_a_divided_batch_and_stays_for_a_lost_one(service: Service) -> None:
    service.accept(*(item(f"k{n}") for n in range(3)), item("culprit", fault="reject"))
    pack()
    budget()
    only_the_culprits_is_freed(service)


def test_what_another_budget_reserved_is_taken_as_it_is(service: Service) -> None:
    budget(strict=True)
    service.accept(item("a", tenant="acme"))
    pack()
    budget("acme", of="tenant")
    with process.database().transaction() as connection:
        assert [budget_row.reserved_nano for budget_row in ledger.budgets(connection)] == [worst(service, "a")] * 2


def test_what_alone_is_over_the_cap_says_so_and_keeps_no_other_waiting(service: Service) -> None:
    service.accept(item("long", "x" * 4000), item("a"), item("b"))
    cap = worst(service, "a", "b")
    budget(nano=cap)
    pack()
    assert states(service, "long", "a", "b") == ["held", "batched", "batched"]
    assert seen().held == {"over the cap by itself": 1}
    needs = f"needs ${dollars(worst(service, 'long'))}, the cap is ${dollars(cap)}"
    assert f"over the cap by itself: lane default, a day; it {needs}" in read_command(app, "items", "--state", "held")
    assert f"1 item alone {needs}: raise it, make it estimated" in read_command(app, "budget")
    (alarm,) = take_snapshot(process.database()).alarms(settings())
    assert (alarm.kind, needs in alarm.text) == ("budget stuck", True)
    service.round()
    sweep()
    assert states(service, "long") == ["held"]
    budget(nano=worst(service, "long", "a", "b"))
    sweep()
    pack()
    assert states(service, "long") == ["batched"]


def test_what_waits_behind_one_that_is_over_the_cap_goes_in_the_next_period(service: Service) -> None:
    service.accept(item("long", "x" * 4000), item("a"), item("b"))
    budget(nano=worst(service, "a"))
    pack()
    assert states(service, "long", "a", "b") == ["held", "batched", "held"]
    service.ledger.execute("UPDATE booking SET begins = begins - 1")
    sweep()
    pack()
    assert states(service, "long", "b") == ["held", "batched"]


def test_a_budget_that_is_lowered_says_what_is_over_it_by_itself(service: Service) -> None:
    service.accept(item("a"), item("b"))
    budget(nano=worst(service, "a"))
    pack()
    budget(nano=worst(service, "b") - 1)
    assert seen().held == {"over the cap by itself": 1}


def test_bookings_of_batches_that_are_over_are_one_row(service: Service) -> None:
    budget()
    for round_ in range(4):
        service.accept(item(f"k{round_}", fault="expired:1" if round_ % 2 else None))
        service.finish()
    service.accept(item("on its way"))
    pack()
    before, booked = spent_and_reserved(), service.ledger.fetch_all("SELECT FROM booking")
    sweep()
    assert spent_and_reserved() == before
    rows = service.ledger.fetch_all(
        "SELECT batch_id, reserved_nano, spent_nano FROM booking ORDER BY batch_id NULLS FIRST"
    )
    assert len(booked) > len(rows) == 2
    assert rows[0] == {"batch_id": None, "reserved_nano": 0, "spent_nano": service.api.meter()["nano"]}
    service.finish()
    service.restart()
    sweep()
    assert len(service.ledger.fetch_all("SELECT FROM booking")) == 1
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)


def test_bookings_are_kept_for_a_submission_that_may_turn_up(service: Service) -> None:
    budget()
    batch_id = unclear(service)
    operator_overrides.never_created(batch_id, "a test")
    service.api.faults_are_over()
    submit()
    for _ in range(2):
        poll()
        collect()
    sweep()
    if service.ledger.states("submission")[0] == "lost":
        assert seen().reserved_nano == worst(service, "a")
    service.clock.quiet_is_over()
    for _ in range(6):
        service.clock.pauses_are_over()
        poll()
        collect()
    service.restart()
    sweep()
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)
    assert len(service.ledger.fetch_all("SELECT FROM booking")) == 1


def test_what_a_removed_budget_held_goes_on(service: Service) -> None:
    budget(nano=0)
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        assert ledger.remove_budget(connection, "lane", process.names().lane("default"), "day")
        assert not ledger.remove_budget(connection, "lane", process.names().lane("default"), "day")
    pack()
    assert states(service, "a") == ["batched"]


def test_without_a_budget_nothing_is_booked(service: Service) -> None:
    service.accept(item("a"))
    service.finish()
    assert service.ledger.fetch_all("SELECT FROM booking") == []
    assert service.ledger.item("a")["reserved_nano"] is None


def test_the_command_sets_raises_shows_and_takes_away(service: Service) -> None:
    def shown(*words: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in read_command(app, "budget", *words, "--json").splitlines()]

    (lane,) = shown("--lane", "default", "--day", "0.000001")
    assert (lane["cap_usd"], lane["strict"], lane["period"]) == ("0.000001", True, "day")
    service.accept(item("a"), item("b"))
    shown("--lane", "default", "--day", dollars(worst(service, "a")))
    pack()
    (lane,) = shown()
    assert lane["held"] == {"over budget": 1}
    assert "over budget: lane default, a day" in read_command(app, "items", "--state", "held")
    assert "1 over budget" in read_command(app, "budget")
    (lane,) = shown("--lane", "default", "--day", "$1,000", "--estimated")
    assert (lane["cap_usd"], lane["strict"]) == ("1000", False)
    shown("--tenant", "acme", "--month", "5")
    shown("--run", "catalog", "--total", "2.5")
    assert [(budget_row["of"], budget_row["name"]) for budget_row in shown()] == [
        ("lane", "default"),
        ("tenant", "acme"),
        ("run", "catalog"),
    ]
    assert shown("--run", "catalog", "--total", "none") == []


@pytest.mark.parametrize(
    "words",
    [
        ("--day", "5"),
        ("--lane", "default", "--tenant", "acme", "--day", "5"),
        ("--lane", "nowhere", "--day", "5"),
        ("--lane", "default", "--day", "much"),
        ("--lane", "default", "--day", "-1"),
        ("--lane", "default", "--day", "0.0000000001"),
        ("--lane", "default", "--total", "5"),
        ("--run", "catalog", "--day", "5"),
        ("--lane", "default", "--strict"),
        ("--lane", "default", "--day", "none"),
    ],
)
def test_the_command_says_what_makes_no_sense(service: Service, words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, ["budget", *words])
    assert isinstance(done.exception, PermanentError), done.output
    assert service.ledger.fetch_all("SELECT FROM budget") == []
