"""Filters as an operator names them, on the command line and in Flower: what isn't there is an error."""

from __future__ import annotations

from collections.abc import Iterable

from overnight_models.errors import PermanentError
from overnight_models.ledger.database import Database
from overnight_models.ledger.operators import known_names
from overnight_models.ledger.operators.item_filter import ANY_PROBLEM
from overnight_models.states import BATCH, DELIVERY, ITEM
from overnight_models.wire.outcome import Problem
from overnight_workers.process import database
from overnight_workers.settings import settings


class UnknownName(PermanentError):
    """A lane, run, tenant, model, batch, key, queue, state or problem that isn't there; it says what there is."""


def check(
    *,
    lane: str | None = None,
    run: str | None = None,
    tenant: str | None = None,
    model: str | None = None,
    batch: int | None = None,
    key: str | None = None,
    queue: str | None = None,
    item_state: str | None = None,
    batch_states: Iterable[str] = (),
    delivery_state: str | None = None,
    problem: str | None = None,
    any_problem: bool = False,
    ledger: Database | None = None,
) -> None:
    """Raise UnknownName with every name that isn't there, and what there is instead.

    any_problem: "any" stands for all of them.
    ledger: default: this process'.
    """
    problems = [*Problem, *([ANY_PROBLEM] if any_problem else [])]
    faults = [
        *_not_one_of("state of an item", [item_state], ITEM.states),
        *_not_one_of("state of a batch", batch_states, BATCH.states),
        *_not_one_of("state of a delivery", [delivery_state], DELIVERY.states),
        *_not_one_of("problem", [problem], problems),
    ]
    if any(name is not None for name in (lane, run, tenant, model, batch, key, queue)):
        with (ledger or database()).transaction() as connection:
            unknown = [
                None if lane is None else known_names.unknown_lane(connection, lane, tuple(settings().lanes)),
                None if run is None else known_names.unknown_run(connection, run),
                None if tenant is None else known_names.unknown_tenant(connection, tenant),
                None if model is None else known_names.unknown_model(connection, model),
                None if batch is None else known_names.unknown_batch(connection, batch),
                None if key is None else known_names.unknown_key(connection, key, lane),
                None if queue is None else known_names.unknown_queue(connection, queue),
            ]
        faults += [fault for fault in unknown if fault is not None]
    if faults:
        raise UnknownName("; ".join(faults))


def _not_one_of(noun: str, asked: Iterable[str | None], known: Iterable[str]) -> list[str]:
    names = list(known)
    return [
        f"there is no {noun} {name!r}: {', '.join(names)}" for name in asked if name is not None and name not in names
    ]
