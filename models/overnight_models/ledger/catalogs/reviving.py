"""Reviving: answers that weren't valid, and that the class which their catalog declares takes by now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from overnight_models.ledger.bodies import answers as bodies
from overnight_models.ledger.catalogs.answers import OF_CATALOG
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from overnight_models.ledger.run_items import NAMED, ORDER, items_of
from overnight_models.states import ITEM
from overnight_models.wire.outcome import Problem


@dataclass(slots=True)
class Invalid:
    """An item whose answer is kept, and wasn't valid."""

    id: int
    key: str
    schema_id: int
    """Of the schema that its answer has to fit."""
    message: str | bytes | None
    """None where it can't be read, or isn't kept."""
    body_group: int | None
    """Where the message lies, until it is read."""
    body_place: int | None


def invalid(
    connection: Connection, catalog: str, *, run: str | None = None, after: int = 0, limit: int = 500
) -> list[Invalid]:
    """The next items of all runs of a catalog whose last answer wasn't valid, with the answers.

    run: of this run only, which needn't be one of a catalog.
    """
    rows = fetch_all(
        connection,
        Invalid,
        f"""
        SELECT item.id, request.key, item.schema_id, outcome.message, outcome.body_group, outcome.body_place
        FROM {items_of(NAMED if run else OF_CATALOG, first=":after")}
        JOIN request ON request.item_id = item.id JOIN outcome ON outcome.item_id = item.id
        WHERE {ITEM.revive.where} AND outcome.problem = :problem AND item.schema_id IS NOT NULL
          AND starts_with(request.key, 'catalog/') AND item.id > :after
        ORDER BY {ORDER} LIMIT :limit
        """,
        **({"run": run} if run else {"catalog": catalog}),
        problem=Problem.INVALID_OUTPUT.value,
        after=after,
        limit=limit,
    )
    bodies.read(connection, rows)
    return rows


def revive(connection: Connection, item_ids: Collection[int]) -> int:
    """Items whose answers are valid after all: they have succeeded, as if collect had said so. Returns how many.

    What was billed, delivered and published of them stays. Those that somebody tries again meanwhile are passed over.
    """
    moved = fetch_column(
        connection,
        int,
        f"UPDATE item SET {ITEM.revive.set} WHERE id = ANY(:ids) AND {ITEM.revive.where} RETURNING id",
        ids=list(item_ids),
    )
    execute(
        connection,
        "UPDATE outcome SET ok = true, problem = NULL, retryable = false, detail = NULL WHERE item_id = ANY(:ids)",
        ids=moved,
    )
    return len(moved)
