"""Budgets: reserved when packed, settled when recorded, free again when nothing was billed; else items are held."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.money.budgets import Period
from overnight_workers import process
from overnight_workers.operators import operator_overrides
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
from tests.driving import MODEL, Service, item


def test_reserved_when_packed_and_spent_when_recorded(service: Service) -> None:
    budget()
    service.accept(item("a"), item("b"))
    pack()
    assert spent_and_reserved() == (0, worst(service, "a", "b"))
    submit()
    poll()
    collect()
    assert states(service, "a", "b") == ["succeeded"] * 2
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)
    assert seen().spent_nano > 0


def test_what_does_not_fit_is_held_says_why_and_goes_when_the_budget_is_raised(service: Service) -> None:
    service.accept(item("a"), item("b"))
    budget(nano=worst(service, "a"))
    pack()
    assert states(service, "a", "b") == ["batched", "held"]
    assert seen().held == {"over budget": 1}
    sweep()
    pack()
    assert states(service, "b") == ["held"]
    budget(nano=worst(service, "a", "b"))
    sweep()
    pack()
    assert states(service, "b") == ["batched"]
    assert seen().left_nano == 0


def test_a_held_item_keeps_its_place(service: Service) -> None:
    service.accept(item("a"))
    service.ledger.execute("UPDATE item SET waiting_since = waiting_since - interval '1 h'")
    since = service.ledger.item("a")["waiting_since"]
    budget(nano=0)
    pack()
    assert service.ledger.item("a")["held_since"] == since
    budget()
    sweep()
    assert service.ledger.item("a")["waiting_since"] == since


def test_what_is_left_after_settling_lets_the_held_go(service: Service) -> None:
    """The worst is reserved, the bill is less: the rest is there for others."""
    service.accept(item("a"), item("b"))
    budget(nano=worst(service, "a") + worst(service, "b") // 2)
    for _ in range(2):
        service.round()
        sweep()
    service.round()
    assert states(service, "a", "b") == ["succeeded"] * 2
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)


@pytest.mark.parametrize(("period", "back"), [("day", "1 day"), ("month", "1 month")])
def test_the_next_period_has_a_budget_of_its_own(service: Service, period: Period, back: str) -> None:
    service.accept(item("a"), item("b"))
    budget(nano=worst(service, "a"), period=period)
    pack()
    assert states(service, "a", "b") == ["batched", "held"]
    service.ledger.execute(f"UPDATE booking SET begins = begins - interval '{back}'")
    assert seen().reserved_nano == 0
    sweep()
    pack()
    assert states(service, "b") == ["batched"]
    assert seen().reserved_nano == worst(service, "b")


def test_answers_are_booked_in_the_period_in_which_they_were_packed(service: Service) -> None:
    budget()
    service.accept(item("a"))
    pack()
    service.ledger.execute("UPDATE booking SET begins = begins - 1")
    submit()
    poll()
    collect()
    assert spent_and_reserved() == (0, 0)
    total = service.ledger.fetch_one(
        "SELECT sum(reserved_nano)::bigint AS reserved, sum(spent_nano)::bigint AS spent FROM booking"
    )
    assert total == {"reserved": 0, "spent": service.api.meter()["nano"]}


def test_of_a_run_in_all(service: Service) -> None:
    service.accept(item("a"), item("b"), run="catalog")
    service.accept(item("c"))
    budget("catalog", worst(service, "a"), of="run", period="all")
    pack()
    assert states(service, "a", "b", "c") == ["batched", "held", "batched"]
    assert seen().title == "run catalog, in all"


def test_a_tenant_over_its_budget_keeps_no_other_waiting(service: Service) -> None:
    service.accept(*(item(f"big{n}", tenant="big") for n in range(5)), item("small", tenant="small"), item("none"))
    budget("big", worst(service, "big0", "big1"), of="tenant", period="month")
    pack()
    assert states(service, *(f"big{n}" for n in range(5))) == ["batched"] * 2 + ["held"] * 3
    assert states(service, "small", "none") == ["batched", "batched"]


def test_within_a_lanes_budget_a_held_tenant_takes_nothing_of_it(service: Service) -> None:
    service.accept(*(item(f"big{n}", tenant="big") for n in range(5)), item("small", tenant="small"))
    budget("big", 0, of="tenant")
    budget("default", worst(service, "small"), of="lane")
    pack()
    assert states(service, "small", "big0") == ["batched", "held"]


def test_tenants_take_turns(service: Service) -> None:
    service.configure(lane={"max_items": 4})
    service.accept(*(item(f"big{n}", tenant="big") for n in range(6)))
    service.accept(item("small0", tenant="small"), item("small1", tenant="small"))
    service.ledger.execute("UPDATE item SET waiting_since = now() - id * interval '1 ms'")
    pack()
    first = service.ledger.fetch_one("SELECT min(id) AS id FROM batch")["id"]
    rows = service.ledger.fetch_all("SELECT key FROM item JOIN request ON item_id = id WHERE batch_id = %s", first)
    assert sum(row["key"].startswith("small") for row in rows) == 2


@pytest.mark.parametrize("fault", ["expired", "errored:api_error"])
def test_what_was_not_billed_is_free_again(service: Service, fault: str) -> None:
    service.configure(lane={"max_attempts": 1})
    budget()
    service.accept(item("a", fault=fault))
    service.round()
    assert states(service, "a") == ["failed"]
    assert spent_and_reserved() == (0, 0)


def test_what_is_tried_again_is_reserved_again(service: Service) -> None:
    budget()
    service.accept(item("a", fault="expired"))
    service.round()
    assert states(service, "a") == ["waiting"]
    assert spent_and_reserved() == (0, 0)
    pack()
    assert spent_and_reserved() == (0, worst(service, "a"))


def test_what_is_taken_back_before_it_was_sent_is_free_again(service: Service) -> None:
    budget()
    service.accept(item("a"), item("b"))
    pack()
    with process.database().transaction() as connection:
        cancel(connection, service.ledger.item("a")["id"])
    assert spent_and_reserved() == (0, worst(service, "b"))


def test_a_held_item_can_be_taken_back(service: Service) -> None:
    budget(nano=0)
    service.accept(item("a"))
    pack()
    with process.database().transaction() as connection:
        cancel(connection, service.ledger.item("a")["id"])
    assert states(service, "a") == ["canceled"]
    assert seen().held == {}


def test_a_rejected_batch_passes_its_reservation_on_and_the_culprit_frees_its_own(service: Service) -> None:
    budget()
    service.accept(*(item(f"k{n}") for n in range(3)), item("culprit", fault="reject"))
    pack()
    only_the_culprits_is_freed(service)


def test_an_unclear_batch_keeps_its_reservation(service: Service) -> None:
    budget()
    unclear(service)
    assert spent_and_reserved() == (0, worst(service, "a"))


def test_a_lost_submission_keeps_its_reservation_beside_the_next_until_it_turns_up(service: Service) -> None:
    budget()
    operator_overrides.never_created(unclear(service), "a test")
    assert spent_and_reserved() == (0, 2 * worst(service, "a"))
    both_turn_up(service)


def test_what_may_have_been_billed_without_an_answer_counts_as_spent(unhurried: Service) -> None:
    budget()
    unhurried.accept(item("a"))
    pack()
    submit()
    batch_id = unhurried.ledger.fetch_one("SELECT id FROM batch")["id"]
    operator_overrides.gone(batch_id, "a test")
    assert spent_and_reserved() == (worst(unhurried, "a"), 0)


def test_without_a_price_it_is_held_until_there_is_one(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    budget()
    service.accept(item("a"))
    service.ledger.execute("UPDATE model SET name = 'claude-tomorrow'")
    pack()
    assert seen().held == {"no price": 1}
    sweep()
    assert states(service, "a") == ["held"]
    service.ledger.execute("UPDATE model SET name = %s", MODEL)
    sweep()
    pack()
    assert states(service, "a") == ["batched"]


def with_image() -> Mapping[str, Any]:
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "what is it?"}]
    return {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": content}]}


def test_what_has_no_bound_is_held_by_a_strict_budget_and_let_go_by_an_estimate(service: Service) -> None:
    budget(strict=True)
    service.accept(item("image", params=with_image()))
    pack()
    assert seen().held == {"no bound": 1}
    budget(strict=False)
    sweep()
    pack()
    assert states(service, "image") == ["batched"]


def test_an_estimate_reserves_what_history_expects_and_the_worst_without_any(service: Service) -> None:
    budget(strict=False)
    service.accept(item("first"))
    pack()
    assert seen().reserved_nano == worst(service, "first")
    service.accept(*(item(f"k{n}") for n in range(40)))
    service.finish()
    spent = seen().spent_nano
    service.accept(*(item(f"m{n}") for n in range(40)))
    pack()
    keys = [f"m{n}" for n in range(40)]
    assert spent * 40 / 41 * 0.9 < seen().reserved_nano < worst(service, *keys) / 2
