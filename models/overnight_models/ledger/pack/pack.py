"""Packing: waiting items of one lane become a batch, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack import reserve, turns
from overnight_models.ledger.pack.reserve import BOOKED, HELD, JUDGED
from overnight_models.ledger.pack.turns import NOBODY, Candidates, StayBehind, oldest
from overnight_models.ledger.rows import execute, fetch_all, fetch_only, fetch_only_value
from overnight_models.money.prices import Prices
from overnight_models.states import ITEM

FRAME_BYTES = 80
"""What a request costs in a batch's body beside its own bytes: its custom_id and punctuation."""


@dataclass(frozen=True)
class Waiting:
    """The items of one lane and one set of headers that wait for a batch."""

    lane: str
    lane_id: int
    headers_id: int
    items: int
    bytes: int
    oldest_age_s: float
    """Seconds that the one that waits longest has waited."""
    drains: bool = False
    """Its lane is being emptied: it waits for no threshold."""


def waiting(connection: Connection, *, lane_id: int | None = None, headers_id: int | None = None) -> list[Waiting]:
    """Everything that waits in lanes that aren't paused, or in this one alone.

    From the tally, and one look at each tenant, so it costs the same for any number.
    """
    since = oldest("t.lane_id", "t.headers_id", for_batch=True)
    return fetch_all(
        connection,
        Waiting,
        f"""
        SELECT lane.name AS lane, t.lane_id, t.headers_id, t.items, t.bytes,
               coalesce(extract(epoch FROM now() - {since}), 0)::float AS oldest_age_s,
               lane.drain_until IS NOT NULL AS drains
        FROM (
            SELECT lane_id, headers_id, sum(n)::bigint AS items, sum(bytes)::bigint AS bytes
            FROM tally WHERE noun = 'item' AND state = 'waiting'
            GROUP BY lane_id, headers_id HAVING sum(n) > 0
        ) t
        JOIN lane ON lane.id = t.lane_id
        WHERE lane.paused_at IS NULL
          AND t.lane_id = coalesce(:lane_id, t.lane_id) AND t.headers_id = coalesce(:headers_id, t.headers_id)
        """,
        lane_id=lane_id,
        headers_id=headers_id,
    )


class Amount(NamedTuple):
    """How much waits in a lane for one set of headers."""

    items: int
    bytes: int


def amounts(connection: Connection, *, lane_id: int) -> list[Amount]:
    """How many items, and bytes of requests, wait in a lane: for each of its headers."""
    return fetch_all(
        connection,
        Amount,
        """
        SELECT sum(n)::bigint AS items, sum(bytes)::bigint AS bytes FROM tally
        WHERE noun = 'item' AND state = 'waiting' AND lane_id = :lane_id
        GROUP BY headers_id HAVING sum(n) > 0
        """,
        lane_id=lane_id,
    )


def largest_waiting(connection: Connection, lane: str) -> int:
    """How many items wait in a lane for the set of headers that most of them have."""
    return fetch_only_value(
        connection,
        int,
        """
        SELECT coalesce(max(items), 0)::bigint FROM (
            SELECT sum(n) AS items FROM tally
            WHERE noun = 'item' AND state = 'waiting' AND lane_id = (SELECT id FROM lane WHERE name = :lane)
            GROUP BY headers_id
        ) waiting
        """,
        lane=lane,
    )


def take_turn(connection: Connection, source: Waiting) -> Waiting | None:
    """Wait until no other packer is at this lane and headers; returns what waits there then, None for nothing.

    What was seen before may have been packed by another since: thresholds are for what is seen now.
    """
    execute(
        connection,
        "SELECT pg_advisory_xact_lock(:lane_id, :headers_id)",
        lane_id=source.lane_id,
        headers_id=source.headers_id,
    )
    return next(iter(waiting(connection, lane_id=source.lane_id, headers_id=source.headers_id)), None)


def next_in_line(connection: Connection, source: Waiting, *, max_items: int, stay: StayBehind) -> Candidates:
    """The items that are packed next. stay: the items that stay behind."""
    return turns.candidates(
        connection,
        lane_id=source.lane_id,
        headers_id=source.headers_id,
        waiting=source.items,
        max_items=max_items,
        stay=stay,
    )


@dataclass(frozen=True)
class Packed:
    """What one look at those that wait came to."""

    items: int = 0
    """In the new batch; there is none when it is 0."""
    held: int = 0
    """Over a budget: held, with a reason."""


def pack(
    connection: Connection,
    source: Waiting,
    prices: Prices,
    *,
    max_items: int,
    max_bytes: int,
    stay: StayBehind = NOBODY,
    only: int | None = None,
    chain_cap_nano: int | None = None,
) -> Packed:
    """Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.

    stay: the items that stay behind.
    only: the item that goes alone, out of its turn.
    chain_cap_nano: what all items of one trace may cost together.

    Called in a turn. Nothing passes through this process: 100,000 items are one statement.
    """
    if only is None:
        candidates = next_in_line(connection, source, max_items=max_items, stay=stay)
    else:
        candidates = turns.alone(only, lane_id=source.lane_id, headers_id=source.headers_id)
    allowance = reserve.allowance(connection, candidates, prices, chain_cap_nano=chain_cap_nano)
    batch_id = fetch_only_value(
        connection,
        int,
        """
        INSERT INTO batch (lane_id, headers_id, state, items, size)
        VALUES (:lane_id, :headers_id, 'packed', 0, 0) RETURNING id
        """,
        lane_id=source.lane_id,
        headers_id=source.headers_id,
    )
    if allowance is not None:
        # joined by hashes: the planner believes that few rows wait, and would compare each with each
        execute(connection, "SET LOCAL enable_nestloop = off")
    packed = fetch_only(
        connection,
        Packed,
        _statement(candidates.query, within=allowance is not None),
        batch_id=batch_id,
        max_bytes=max_bytes,
        **candidates.values,
        **(allowance.values if allowance else {}),
    )
    if not packed.items:
        execute(connection, "DELETE FROM batch WHERE id = :id", id=batch_id)
    return packed


def _statement(candidates: str, *, within: bool) -> str:
    """The statement that packs. within: budgets are asked, and what is over is held."""
    # by an array and not only by a join: see above
    return f"""
        WITH candidate AS ({candidates}),
        {f"{JUDGED}, {HELD}," if within else ""}
        filling AS (
            SELECT *, sum(size + {FRAME_BYTES}) OVER (ORDER BY position) AS filled,
                   row_number() OVER (ORDER BY position) AS number
            FROM {"judged WHERE held_by IS NULL" if within else "candidate"}
        ),
        chosen AS (SELECT * FROM filling WHERE filled <= :max_bytes OR number = 1),
        moved AS (
            UPDATE item SET {ITEM.pack.set}, batch_id = :batch_id, waiting_since = NULL
                {", reserved_nano = chosen.reserve FROM chosen" if within else ""}
            WHERE {ITEM.pack.where} AND item.id = ANY(ARRAY(SELECT id FROM chosen))
                {"AND item.id = chosen.id" if within else ""}
            RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
        ),
        {f"{BOOKED}," if within else ""}
        filled AS (
            SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
                   count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
            FROM moved
        )
        UPDATE batch SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
            has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
        FROM filled WHERE id = :batch_id
        RETURNING batch.items, {"(SELECT count(*) FROM held)" if within else "0"} AS held
    """
