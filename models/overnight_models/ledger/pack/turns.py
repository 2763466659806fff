"""Turns: who of those that wait in a lane is packed next; its tenants take turns, so that none keeps another waiting.

The oldest of each tenant goes first, then the second of each, and so on; those without a tenant take turns as one. No
more than about twice a batch's worth is read, however many wait: the index has them by tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from overnight_models.ledger.database import fetch_all, fetch_one


def _waits(lane: str, headers: str) -> str:
    return f"item.waiting_since IS NOT NULL AND item.lane_id = {lane} AND item.headers_id = {headers}"


def _heads(lane: str, headers: str) -> str:
    """A query: the tenants of whom something waits, and since when; each found by one look into the index."""
    waits = _waits(lane, headers)
    return f"""
        WITH RECURSIVE head (tenant_id, waiting_since) AS (
            (SELECT tenant_id, waiting_since FROM item WHERE {waits} AND tenant_id IS NOT NULL
             ORDER BY tenant_id, waiting_since LIMIT 1)
            UNION ALL
            SELECT next.tenant_id, next.waiting_since FROM head CROSS JOIN LATERAL (
                SELECT tenant_id, waiting_since FROM item WHERE {waits} AND item.tenant_id > head.tenant_id
                ORDER BY tenant_id, waiting_since LIMIT 1
            ) next
        )
        SELECT tenant_id, waiting_since FROM head
        UNION ALL
        (SELECT tenant_id, waiting_since FROM item WHERE {waits} AND tenant_id IS NULL
         ORDER BY tenant_id, waiting_since LIMIT 1)
    """


def oldest(lane: str, headers: str) -> str:
    """An expression: since when the one waits that waits longest; null when none does."""
    return f"(SELECT min(waiting_since) FROM ({_heads(lane, headers)}) head)"


@dataclass(frozen=True)
class Candidates:
    """Those who go next, as a query: what a budget and a batch have to know of each, and its `position`."""

    query: str
    values: dict[str, Any]
    """What it is told."""


def candidates(
    connection: Connection, *, lane_id: int, headers_id: int, waiting: int, max_items: int, unless: str
) -> Candidates:
    """Whose turn it is. waiting: how many wait there. unless: a condition on `item` of those that stay behind."""
    values: dict[str, Any] = {"lane_id": lane_id, "headers_id": headers_id, "max_items": max_items}
    heads = fetch_all(connection, _heads(":lane_id", ":headers_id"), **values)
    tenants = [row["tenant_id"] for row in heads if row["tenant_id"] is not None]
    if not tenants:
        return Candidates(_OLDEST.format(unless=unless), values)
    values |= {"tenants": tenants, "each": 0}
    wanted = min(waiting, max_items)
    values["each"] = -(-wanted // len(heads))
    found, before = _found(connection, unless, values), -1
    # who has fewer leaves room for more of the others, as long as they have more
    while before < found < wanted:
        values["each"] *= 2
        found, before = _found(connection, unless, values), found
    return Candidates(_IN_TURNS.format(unless=unless), values)


def alone(item_id: int, *, lane_id: int, headers_id: int) -> Candidates:
    """One item out of its turn, if it waits there."""
    query = f"SELECT {_COLUMNS}, 1 AS position FROM item WHERE {_waits(':lane_id', ':headers_id')} AND id = :item_id"
    return Candidates(query, {"lane_id": lane_id, "headers_id": headers_id, "item_id": item_id})


def _found(connection: Connection, unless: str, values: dict[str, Any]) -> int:
    row = fetch_one(connection, f"SELECT count(*) AS n FROM ({_OF_EACH.format(unless=unless)}) found", **values)
    assert row is not None
    return int(row["n"])


_COLUMNS: Final = "id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id"

# ordered by the tenant too, though there is but one: the planner wouldn't see that the index has that order
_WAIT: Final = f"{_waits(':lane_id', ':headers_id')} AND NOT ({{unless}})"

_OLDEST: Final = f"""
    SELECT {_COLUMNS}, row_number() OVER (ORDER BY tenant_id, waiting_since, id) AS position
    FROM item WHERE {_WAIT} AND tenant_id IS NULL ORDER BY tenant_id, waiting_since, id LIMIT :max_items
"""

_OF_EACH: Final = f"""
    SELECT next.* FROM unnest(CAST(:tenants AS integer[])) AS head (tenant_id) CROSS JOIN LATERAL (
        SELECT {_COLUMNS}, waiting_since FROM item WHERE {_WAIT} AND item.tenant_id = head.tenant_id
        ORDER BY tenant_id, waiting_since, id LIMIT :each
    ) next
    UNION ALL
    (SELECT {_COLUMNS}, waiting_since FROM item WHERE {_WAIT} AND tenant_id IS NULL
     ORDER BY tenant_id, waiting_since, id LIMIT :each)
"""

_IN_TURNS: Final = f"""
    SELECT {_COLUMNS}, row_number() OVER (ORDER BY turn, waiting_since, id) AS position
    FROM (
        SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY waiting_since, id) AS turn
        FROM ({_OF_EACH}) of_each
    ) queued
    ORDER BY turn, waiting_since, id LIMIT :max_items
"""
