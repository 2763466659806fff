"""Budgets in tests: set, looked at, and what items need of them."""

from __future__ import annotations

from overnight_models.ledger.money import budgets as ledger
from overnight_models.ledger.money.budgets import BudgetView, Of, Period
from overnight_models.request.worst_case import ADDED_TOKENS, worst_rates
from overnight_workers import process
from tests.driving import MODEL, Service

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
    return sum((one["size"] + ADDED_TOKENS) * rate.input_nano + one["max_tokens"] * rate.output_nano for one in rows)
