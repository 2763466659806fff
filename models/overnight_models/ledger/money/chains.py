"""Chains: the items of one `trace_id` in a lane that says what those may cost together.

Each has a budget of its own, reserved and settled as any other. What a chain's budget has no room for waits while other
items of the chain are under way, whose reservations may come back; what has no room then is over.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack.reserve import NO_BOUND, NO_PRICE, OVER
from overnight_models.ledger.rows import execute, fetch_all, fetch_only_value, fetch_pairs
from overnight_models.states import ITEM
from overnight_models.wire.outcome import dollars

HOLDING: Final = """
    WITH RECURSIVE holder (id) AS (
        (SELECT held_by FROM item WHERE held_by IS NOT NULL ORDER BY held_by LIMIT 1)
        UNION ALL
        SELECT next.held_by FROM holder CROSS JOIN LATERAL (
            SELECT held_by FROM item WHERE held_by > holder.id ORDER BY held_by LIMIT 1
        ) next
    ),
    holding AS (
        SELECT budget.id, cap_nano, coalesce(sum(spent_nano), 0)::bigint AS spent_nano,
               coalesce(sum(reserved_nano), 0)::bigint AS reserved_nano
        FROM holder JOIN budget ON budget.id = holder.id AND chain_id IS NOT NULL
        LEFT JOIN booking ON booking.budget_id = budget.id
        GROUP BY budget.id
    )
"""
"""The chains that hold items, and what is booked for each; each of them one look into an index."""


def numbers(connection: Connection, lane_id: int, traces: Collection[str], *, cap_nano: int) -> dict[str, int]:
    """The numbers of the chains of a lane, by trace; those that aren't there yet get a budget of so much."""
    named = {"lane_id": lane_id, "traces": sorted(traces)}
    execute(
        connection,
        """
        INSERT INTO chain (lane_id, trace_id) SELECT :lane_id, trace FROM unnest(CAST(:traces AS text[])) AS trace
        WHERE NOT EXISTS (SELECT FROM chain WHERE lane_id = :lane_id AND trace_id = trace)
        ORDER BY trace ON CONFLICT DO NOTHING
        """,
        **named,
    )
    execute(
        connection,
        """
        INSERT INTO budget (chain_id, period, cap_nano, strict)
        SELECT id, 'all', :cap_nano, true FROM chain WHERE lane_id = :lane_id AND trace_id = ANY(:traces)
          AND NOT EXISTS (SELECT FROM budget WHERE chain_id = chain.id)
        ORDER BY id ON CONFLICT DO NOTHING
        """,
        cap_nano=cap_nano,
        **named,
    )
    by_trace = "SELECT trace_id, id FROM chain WHERE lane_id = :lane_id AND trace_id = ANY(:traces)"
    return fetch_pairs(connection, str, int, by_trace, **named)


def _there_are_chains(connection: Connection) -> bool:
    """Most installations have none, and each sweep asks."""
    return fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM chain)")


class _Over(NamedTuple):
    """An item that its chain has no room for."""

    id: int
    is_direct: bool
    held_reason: str
    needed_nano: int | None
    cap_nano: int
    spent_nano: int


class Spent(NamedTuple):
    """An item that its chain can't pay for."""

    item_id: int
    is_direct: bool
    """It was to be sent in real time."""
    why: str


def spent(connection: Connection, *, limit: int) -> list[Spent]:
    """Held items that have no room beside what their chains have spent already; locked, for the caller to end."""
    if not _there_are_chains(connection):
        return []
    rows = fetch_all(
        connection,
        _Over,
        f"""
        {HOLDING}
        SELECT item.id, direct_at IS NOT NULL AS is_direct, held_reason, item.reserved_nano AS needed_nano, cap_nano,
               spent_nano
        FROM holding CROSS JOIN LATERAL (
            -- a limit of its own: the planner would read all items in the order of ids, to find a few that are held
            SELECT id, direct_at, held_reason, reserved_nano FROM item
            WHERE held_by = holding.id AND (held_reason <> :over OR item.reserved_nano > cap_nano - spent_nano)
            ORDER BY held_reason, held_since, id LIMIT :limit FOR UPDATE SKIP LOCKED
        ) item
        LIMIT :limit
        """,
        over=OVER,
        limit=limit,
    )
    return [Spent(row.id, row.is_direct, _why(row)) for row in rows]


def _why(row: _Over) -> str:
    """Why it isn't sent, and what to do about it, as its owner reads it."""
    capped = f"all items of its trace may cost ${dollars(row.cap_nano)} together (max_cost_per_trace)"
    if row.held_reason == NO_PRICE:
        return f"{capped}, and its model has no price"
    if row.held_reason == NO_BOUND or row.needed_nano is None:
        return f"{capped}, and nothing bounds what it may cost (a server tool, a document by its URL)"
    return (
        f"{capped}, ${dollars(row.spent_nano)} of that is spent, and it may cost ${dollars(row.needed_nano)}:"
        " raise the cap or ask for less (max_tokens)"
    )


def release(connection: Connection) -> int:
    """Held items that their chains have room for again wait in their old places. Returns how many."""
    if not _there_are_chains(connection):
        return 0
    return execute(
        connection,
        f"""
        {HOLDING}
        UPDATE item SET {ITEM.release.set}, waiting_since = held_since, held_by = NULL, held_since = NULL,
               held_reason = NULL
        WHERE {ITEM.release.where} AND id = ANY(ARRAY(
            SELECT id FROM (
                SELECT item.id, cap_nano - spent_nano - holding.reserved_nano AS nano,
                       sum(item.reserved_nano) OVER (PARTITION BY held_by ORDER BY held_since, item.id) AS needed
                FROM holding JOIN item ON item.held_by = holding.id WHERE held_reason = :over
            ) needing WHERE needed <= nano
        ))
        """,
        over=OVER,
    )
