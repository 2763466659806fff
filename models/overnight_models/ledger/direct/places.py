"""Places: where something is to be sent in real time now, and who goes first there.

A tenant that has fewer calls under way goes before one that has more, so that none keeps another waiting; those without
a tenant take turns as one. Of one tenant goes first what waits longest; what is wanted within an hour counts as if it
had waited for the rest of that hour, so the nearest deadline goes first, and nothing that has waited for an hour has
anything new go before it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.measure import UNMEASURED
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.ledger.workspaces import SENDABLE

TO_BE_SENT: Final = "item.direct_at IS NOT NULL AND item.held_by IS NULL"
"""The guard, as the index has it."""

DUE: Final = f"""
    {TO_BE_SENT} AND item.direct_at <= now() AND (item.give_up_at IS NULL OR item.give_up_at > now())
"""
"""The guard: its time has come, and somebody still needs it."""

_URGENCY: Final = """
    least(direct_at, CASE WHEN deadline IS NOT NULL THEN greatest(deadline, now()) - interval '1 hour' END)
"""
"""The expression: the earliest goes first."""

_HEADS: Final = f"""
    WITH RECURSIVE source (lane_id, headers_id, model_id) AS (
        (SELECT lane_id, headers_id, model_id FROM item WHERE {TO_BE_SENT}
         ORDER BY lane_id, headers_id, model_id LIMIT 1)
        UNION ALL
        SELECT next.* FROM source CROSS JOIN LATERAL (
            SELECT lane_id, headers_id, model_id FROM item
            WHERE {TO_BE_SENT}
              AND (item.lane_id, item.headers_id, item.model_id) > (source.lane_id, source.headers_id, source.model_id)
            ORDER BY lane_id, headers_id, model_id LIMIT 1
        ) next
    )
    SELECT source.lane_id, source.headers_id, source.model_id, lane.name AS lane, headers.workspace, headers.betas,
           headers.api_version, model.name AS model
    FROM source JOIN lane ON lane.id = source.lane_id JOIN headers ON headers.id = source.headers_id
    JOIN model ON model.id = source.model_id JOIN workspace ON workspace.name = headers.workspace
    CROSS JOIN LATERAL (
        SELECT direct_at FROM item
        WHERE {DUE} AND item.lane_id = source.lane_id AND item.headers_id = source.headers_id
          AND item.model_id = source.model_id
        ORDER BY lane_id, headers_id, model_id, tenant_id, direct_at LIMIT 1
    ) head
    LEFT JOIN LATERAL (
        SELECT deadline FROM item
        WHERE {DUE} AND item.lane_id = source.lane_id AND item.headers_id = source.headers_id
          AND item.model_id = source.model_id AND deadline IS NOT NULL
        ORDER BY deadline LIMIT 1
    ) wanted ON true
    WHERE lane.paused_at IS NULL AND {SENDABLE} AND NOT EXISTS (
        SELECT FROM direct_pause
        WHERE direct_pause.workspace = headers.workspace AND direct_pause.model_id = source.model_id
          AND not_before > now()
    )
"""
"""Place something is to be sent now and may be: each found by one look into the index."""

HAS_WORK: Final = f"EXISTS ({_HEADS})"
"""The condition: something is to be sent now, and may be."""


@dataclass(frozen=True)
class Place:
    """Items that share a lane, headers and a model."""

    lane_id: int
    headers_id: int
    model_id: int
    lane: str
    workspace: str
    betas: str
    api_version: str
    model: str


def sources(connection: Connection, lanes: Collection[str]) -> list[Place]:
    """Where something is to be sent now and may be, the most urgent first. lanes: no others are looked at."""
    return fetch_all(connection, Place, f"{_HEADS} AND lane.name = ANY(:lanes) ORDER BY {_URGENCY}", lanes=list(lanes))


def room(connection: Connection, lane_id: int, max_calls: int) -> int:
    """How many more calls a lane may have under way, over all workers.

    Nobody else who asks takes any before this transaction is over.
    """
    execute(connection, "SELECT pg_advisory_xact_lock(:lane_id, -1)", lane_id=lane_id)
    calls = """
        SELECT count(*) FROM direct_claim JOIN direct_call ON direct_call.claim_id = direct_claim.id
        WHERE direct_claim.lane_id = :lane_id
    """
    return max(max_calls - fetch_only_value(connection, int, calls, lane_id=lane_id), 0)


_COLUMNS: Final = "id, tenant_id, direct_at, deadline"

_IN_TURNS: Final = f"""
    WITH RECURSIVE tenant (id) AS (
        (SELECT tenant_id FROM item WHERE {{here}} AND {TO_BE_SENT} AND tenant_id IS NOT NULL
         ORDER BY lane_id, headers_id, model_id, tenant_id LIMIT 1)
        UNION ALL
        SELECT next.tenant_id FROM tenant CROSS JOIN LATERAL (
            SELECT tenant_id FROM item WHERE {{here}} AND {TO_BE_SENT} AND item.tenant_id > tenant.id
            ORDER BY lane_id, headers_id, model_id, tenant_id LIMIT 1
        ) next
    ),
    -- who has fewer leaves room for more of the others at the next look
    each (n) AS (SELECT 1 + :most / (1 + count(*)) FROM tenant),
    candidate AS (
        SELECT next.* FROM tenant CROSS JOIN LATERAL (
            SELECT {_COLUMNS} FROM item WHERE {{here}} AND {{due}} AND item.tenant_id = tenant.id
            ORDER BY direct_at, id LIMIT (SELECT n FROM each)
        ) next
        UNION
        (SELECT {_COLUMNS} FROM item WHERE {{here}} AND {{due}} AND tenant_id IS NULL
         ORDER BY direct_at, id LIMIT (SELECT n FROM each))
        UNION
        (SELECT {_COLUMNS} FROM item WHERE {{here}} AND {{due}} AND deadline IS NOT NULL
         ORDER BY deadline LIMIT :most)
    ),
    busy AS (
        SELECT tenant_id, count(*) AS calls
        FROM direct_claim JOIN direct_call ON direct_call.claim_id = direct_claim.id
        JOIN item ON item.id = direct_call.item_id
        WHERE direct_claim.lane_id = :lane_id AND EXISTS (SELECT FROM tenant)
        GROUP BY tenant_id
    ),
    queued AS (
        SELECT candidate.id, {_URGENCY} AS urgency,
               coalesce(busy.calls, 0)
               + row_number() OVER (PARTITION BY candidate.tenant_id ORDER BY {_URGENCY}, candidate.id) AS turn
        FROM candidate LEFT JOIN busy ON busy.tenant_id IS NOT DISTINCT FROM candidate.tenant_id
    )
    SELECT id FROM queued ORDER BY turn, urgency, id LIMIT :most
"""


def in_turns(connection: Connection, place: Place, limit: int, *, counts_first: bool) -> list[int]:
    """Whose turn it is there: items in the order in which they go. Nothing is locked.

    counts_first: those that nobody has measured yet stay where they are.
    """
    here = "item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id"
    return fetch_column(
        connection,
        int,
        _IN_TURNS.format(here=here, due=f"{DUE} AND NOT {UNMEASURED}" if counts_first else DUE),
        lane_id=place.lane_id,
        headers_id=place.headers_id,
        model_id=place.model_id,
        most=limit,
    )
