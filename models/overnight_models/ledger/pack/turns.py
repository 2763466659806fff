"""Turns: who of those that wait in a lane is packed next; its tenants take turns, so that none keeps another waiting.

The oldest of each tenant goes first, then the second of each, and so on; those without a tenant take turns as one. No
more than about twice a batch's worth is read, however many wait: the index has them by tenant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.measure import UNMEASURED
from overnight_models.ledger.rows import fetch_all, fetch_only_value

_NOT_URGENT: Final = """
    (item.direct_at IS NULL OR item.direct_at > now()) AND (item.give_up_at IS NULL OR item.give_up_at > now())
"""
"""The guard: it isn't to be sent in real time by now, and somebody still needs it."""


def _waits(lane: str, headers: str) -> str:
    return f"item.waiting_since IS NOT NULL AND item.lane_id = {lane} AND item.headers_id = {headers}"


def _heads(lane: str, headers: str, unless_urgent: str) -> str:
    """A query: the tenants of whom something waits, and since when; each found by one look into the index.

    Who has none comes last there: a lane without tenants is one look.
    """
    waits = f"{_waits(lane, headers)} AND {unless_urgent}"
    return f"""
        WITH RECURSIVE head (tenant_id, waiting_since) AS (
            (SELECT tenant_id, waiting_since FROM item WHERE {waits} ORDER BY tenant_id, waiting_since LIMIT 1)
            UNION ALL
            SELECT next.tenant_id, next.waiting_since FROM head CROSS JOIN LATERAL (
                SELECT tenant_id, waiting_since FROM item WHERE {waits} AND item.tenant_id > head.tenant_id
                ORDER BY tenant_id, waiting_since LIMIT 1
            ) next
        )
        SELECT tenant_id, waiting_since FROM head
        UNION ALL
        (SELECT tenant_id, waiting_since FROM item
         WHERE {waits} AND tenant_id IS NULL AND EXISTS (SELECT FROM head WHERE head.tenant_id IS NOT NULL)
         ORDER BY tenant_id, waiting_since LIMIT 1)
    """


def oldest(lane: str, headers: str, *, for_batch: bool = False) -> str:
    """An expression: since when the item waits that waits longest; null when none waits.

    for_batch: of those that a batch may take, which leaves what is to be sent in real time by now.
    """
    heads = _heads(lane, headers, _NOT_URGENT if for_batch else "true")
    return f"(SELECT min(waiting_since) FROM ({heads}) head)"


@dataclass(frozen=True)
class StayBehind:
    """Which of the waiting items a batch leaves where they are."""

    unmeasured: bool = False
    """Those that may be too long for their lane, and that nobody has counted yet."""
    being_written: tuple[tuple[int, int], ...] = ()
    """Prefixes by number, each with a model's: another batch writes them into the cache right now."""

    @property
    def condition(self) -> str:
        """The condition on `item`."""
        conditions = [UNMEASURED] if self.unmeasured else []
        if self.being_written:
            conditions.append(_BEING_WRITTEN)
        return " OR ".join(conditions) or "false"

    @property
    def values(self) -> dict[str, object]:
        """The parameters of the condition."""
        if not self.being_written:
            return {}
        prefixes, models = zip(*self.being_written, strict=True)
        return {"written_prefixes": list(prefixes), "written_models": list(models)}


_BEING_WRITTEN: Final = """
    (prefix_id, model_id) IN (
        SELECT * FROM unnest(CAST(:written_prefixes AS integer[]), CAST(:written_models AS integer[]))
    ) IS TRUE
"""

NOBODY: Final = StayBehind()


@dataclass(frozen=True)
class Candidates:
    """Those who go next, as a query: what a budget and a batch have to know of each, and its `position`."""

    query: str
    lane_id: int
    """All of them are of this lane."""
    values: dict[str, object]
    """The query's parameters."""


class _Head(NamedTuple):
    """A tenant of whom something waits, and since when."""

    tenant_id: int | None
    waiting_since: datetime


def candidates(
    connection: Connection, *, lane_id: int, headers_id: int, waiting: int, max_items: int, stay: StayBehind
) -> Candidates:
    """Whose turn it is. waiting: how many wait there. stay: those that stay behind."""
    values: dict[str, object] = {"lane_id": lane_id, "headers_id": headers_id, "max_items": max_items, **stay.values}
    heads = fetch_all(connection, _Head, _heads(":lane_id", ":headers_id", _NOT_URGENT), **values)
    tenants = [head.tenant_id for head in heads if head.tenant_id is not None]
    if not tenants:
        return Candidates(_OLDEST.format(unless=stay.condition), lane_id, values)
    wanted = min(waiting, max_items)
    each = -(-wanted // len(heads))
    values |= {"tenants": tenants, "each": each}
    number, before = _count(connection, stay, values), -1
    # who has fewer leaves room for more of the others, as long as they have more
    while before < number < wanted:
        each *= 2
        values["each"] = each
        number, before = _count(connection, stay, values), number
    return Candidates(_IN_TURNS.format(unless=stay.condition), lane_id, values)


def alone(item_id: int, *, lane_id: int, headers_id: int) -> Candidates:
    """One item out of its turn, if it waits there."""
    query = f"SELECT {_COLUMNS}, 1 AS position FROM item WHERE {_waits(':lane_id', ':headers_id')} AND id = :item_id"
    return Candidates(query, lane_id, {"lane_id": lane_id, "headers_id": headers_id, "item_id": item_id})


def _count(connection: Connection, stay: StayBehind, values: dict[str, object]) -> int:
    """How many candidates there are with so many of each tenant."""
    counted = f"SELECT count(*) AS n FROM ({_OF_EACH.format(unless=stay.condition)}) counted"
    return fetch_only_value(connection, int, counted, **values)


_COLUMNS: Final = "id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id"

# ordered by the tenant too, though there is but one: the planner wouldn't see that the index has that order
_WAIT: Final = f"{_waits(':lane_id', ':headers_id')} AND {_NOT_URGENT} AND NOT ({{unless}})"

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
