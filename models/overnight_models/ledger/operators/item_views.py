"""Items as people see them: with their outcomes, with why they take their road, and with their deliveries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from overnight_models.ledger import hand_overs, run_items
from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.bodies import answers
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.documents import COLUMNS, JOINS, ItemRow
from overnight_models.ledger.money.budgets import WHY_HELD
from overnight_models.ledger.rows import maker
from overnight_models.states import ITEM


@dataclass(frozen=True)
class Wanted:
    """Which items are asked for; what is None doesn't matter."""

    lane: str | None = None
    key: str | None = None
    run: str | None = None
    batch_id: int | None = None
    state: str | None = None
    problem: str | None = None
    """Only with this problem; "any" for every one that isn't ok."""
    since: datetime | None = None
    """Only what finished then or later."""
    final: bool = False
    """Only what has its outcome."""
    delivery: str | None = None
    """Only whose delivery is in this state; for those who ask for deliveries."""
    late: bool = False
    """Only what missed its deadline, or is late already."""


ROAD: Final = """
    item.give_up_at, item.batch_chance, item.direct_at, item.batch_id, item.model_id, item.size,
    item.max_tokens, (SELECT name FROM model WHERE model.id = item.model_id) AS asked_model,
    (
        SELECT extract(epoch FROM coalesce(ended_at, now()) - api_created_at)::float FROM submission
        WHERE submission.batch_id = item.batch_id AND api_created_at IS NOT NULL ORDER BY id DESC LIMIT 1
    ) AS took_s
"""
"""What says why it takes its road."""


@dataclass(slots=True)
class ItemView(ItemRow):
    """An item with its outcome, with what says why it takes its road, and with its delivery where that is asked for."""

    give_up_at: datetime | None
    batch_chance: int | None
    direct_at: datetime | None
    batch_id: int | None
    model_id: int
    size: int
    max_tokens: int
    asked_model: str
    took_s: float | None
    """How long its batch took, or has been open."""
    held: str | None
    """Why its budget holds it."""
    delivery: str | None = None
    """The state of its delivery; None also when it has none."""
    delivery_tries: int | None = None
    delivery_error: str | None = None
    delivery_queue: str | None = None
    delivery_broker: str | None = None


_READ_AT_ONCE: Final = 500
"""Items with their answers."""


def items(
    connection: Connection,
    wanted: Wanted,
    limit: int | None = None,
    *,
    deliveries: bool = False,
    waiting_for_keys: bool = False,
) -> Iterator[ItemView]:
    """Items with their outcomes, by id, from a cursor on the server: flat for any number.

    Raises NoKey at the first whose encryption key isn't there, unless that is asked for.

    limit: the newest so many.
    deliveries: with the delivery of each.
    waiting_for_keys: those come, too, and say it (`without_key`).
    """
    conditions = {
        "lane.name = %(lane)s": wanted.lane,
        "item.batch_id = %(batch_id)s": wanted.batch_id,
        "item.state = %(state)s": wanted.state,
        # from the newest one back: not through all that still wait
        "item.id <= (SELECT max(item_id) FROM outcome)": wanted.state in ITEM.final or None,
        "outcome.problem = %(problem)s": None if wanted.problem == "any" else wanted.problem,
        "outcome.problem IS NOT NULL": wanted.problem,
        "outcome.finished_at >= %(since)s": wanted.since,
        "outcome.ok IS NOT NULL AND item.state <> 'redone'": wanted.final or None,
        f"{hand_overs.STATE} = %(delivery)s": wanted.delivery,
        "item.deadline < coalesce(outcome.finished_at, now())": wanted.late or None,
        # by the keys' own index; a key may stand in several lanes
        "item.id IN (SELECT item_id FROM item_key WHERE key_hash = %(key_hash)s)": wanted.key,
    }
    chosen = [condition for condition, value in conditions.items() if value is not None]
    where = f"WHERE {' AND '.join(chosen)}" if chosen else ""
    source, order = run_items.source_and_order(wanted.run, backwards=limit is not None, value="%(run)s")
    values = {
        **{name: getattr(wanted, name) for name in ("lane", "run", "batch_id", "state", "problem", "since")},
        "delivery": wanted.delivery,
        "key_hash": None if wanted.key is None else key_hash(wanted.key),
        "limit": limit,
    }
    columns_more, joins_more = (f", {hand_overs.SHOWN}", hand_overs.SHOWN_JOINS) if deliveries else ("", "")
    with driver_connection(connection).cursor(name="items") as cursor:
        cursor.execute(
            f"SELECT {COLUMNS}, {ROAD}, {WHY_HELD} AS held{columns_more} FROM {source} {JOINS}{joins_more}"
            f" {where} ORDER BY {order} LIMIT %(limit)s",
            values,
        )
        assert cursor.description is not None
        view = maker(ItemView, tuple(column.name for column in cursor.description))
        while some := [view(*row) for row in cursor.fetchmany(_READ_AT_ONCE)]:
            (answers.show if waiting_for_keys else answers.show_all)(connection, some)
            yield from some
