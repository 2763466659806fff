"""Budgets in tests: set, looked at, and what items need of them."""

from __future__ import annotations

from overnight_models.ledger.money import budgets as ledger
from overnight_models.ledger.money.budgets import BudgetView, Of, Period
from overnight_models.request.worst_case import ADDED_TOKENS, worst_rates
from overnight_workers import process
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import MODEL, Service, item

DOLLAR = 1_000_000_000


def budget(
    name: str = "default", nano: int = DOLLAR, *, of: Of = "lane", period: Period = "day", strict: bool | None = None
) -> None:
    names = process.names()
    number = {"lane": names.lane, "tenant": names.tenant, "run": names.run}[of](name)
    assert number is not None
    with process.database().transaction() as connection:
        ledger.set_budget(connection, of, number, period, nano, process.prices(), strict=strict)


def seen() -> BudgetView:
    with process.database().transaction() as connection:
        (only,) = ledger.budgets(connection)
    return only


def worst(service: Service, *keys: str) -> int:
    """The most that these may cost."""
    model = process.prices().model(MODEL)
    assert model is not None
    rate = worst_rates(model, batch=True)[0]
    rows = [service.ledger.item(key) for key in keys]
    return sum((row["size"] + ADDED_TOKENS) * rate.input_nano + row["max_tokens"] * rate.output_nano for row in rows)


def states(service: Service, *keys: str) -> list[str]:
    return [service.ledger.item(key)["state"] for key in keys]


def spent_and_reserved() -> tuple[int, int]:
    return seen().spent_nano, seen().reserved_nano


def only_the_culprits_is_freed(service: Service) -> None:
    """When its batch is submitted, rejected and divided; the others' reservations go on to the parts."""
    reserved = seen().reserved_nano
    submit()
    assert states(service, "culprit") == ["failed"]
    assert spent_and_reserved() == (0, reserved - worst(service, "culprit"))
    service.finish()
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)


def unclear(service: Service) -> int:
    """A batch that was created, and whose answer got lost; its id."""
    service.api.fault("create", "lose_answer")
    service.accept(item("a"))
    pack()
    submit()
    assert service.ledger.states("batch") == ["unclear"]
    return int(service.ledger.fetch_one("SELECT id FROM batch")["id"])


def both_turn_up(service: Service) -> None:
    service.api.faults_are_over()
    submit()
    service.clock.quiet_is_over()
    for _ in range(6):
        service.clock.pauses_are_over()
        poll()
        collect()
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM double")["n"] == 1
    assert spent_and_reserved() == (service.api.meter()["nano"], 0)
