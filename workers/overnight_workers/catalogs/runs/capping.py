"""Caps: what a run may still spend, and the most that a row may cost."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from overnight_models import exact_json
from overnight_models.ledger.catalogs import answers
from overnight_models.quantities import NANO_PER_DOLLAR, money
from overnight_models.request.worst_case import ADDED_TOKENS, worst_rates
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.recipe import Request

NIGHT_HOURS: Final = 24


def cap_of_a_run(catalog: Catalog, run_id: int | None) -> tuple[int, str] | None:
    """The most that a run may spend in nano-dollars, and which cap says so; None where none does.

    run_id: what this run has spent is no part of what the others of its night have.
    """
    caps: list[tuple[int, str]] = []
    if catalog.caps.max_cost is not None:
        caps.append((_nano(catalog.caps.max_cost), "caps.max_cost"))
    if catalog.caps.max_cost_a_night is not None:
        with process.database().transaction() as connection:
            spent = answers.spent(connection, catalog.name, hours=NIGHT_HOURS, but=run_id)
        caps.append((max(_nano(catalog.caps.max_cost_a_night) - spent, 0), "caps.max_cost_a_night"))
    return min(caps, default=None)


def check_row(catalog: Catalog, request: Request) -> None:
    """Raise BadRow for a row that may cost more than a row may: by its bytes, and all of its max_tokens."""
    cap = catalog.caps.max_cost_a_row
    model = None if cap is None else process.prices().model(str(request.params["model"]))
    if cap is None or model is None:
        return
    prompt = len(exact_json.dumps(request.params)) + ADDED_TOKENS
    rate = next(rates for rates in worst_rates(model, batch=True) if prompt <= rates.up_to_tokens)
    most_nano = prompt * rate.input_nano + int(request.params["max_tokens"]) * rate.output_nano
    if most_nano > _nano(cap):
        raise BadRow(f"it may cost {money(most_nano)}, caps.max_cost_a_row is ${cap}")


def _nano(amount: Decimal) -> int:
    return int(amount * NANO_PER_DOLLAR)
