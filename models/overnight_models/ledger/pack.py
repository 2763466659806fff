"""Packing: waiting items of one lane become a batch, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from overnight_models.ledger.database import count, one, run
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


def waiting(connection: Connection, *, lane_id: int | None = None, headers_id: int | None = None) -> list[Waiting]:
    """Everything that waits in lanes that aren't paused, or in this one alone.

    From the tally, so it costs the same for any number.
    """
    rows = run(
        connection,
        """
        SELECT lane.name AS lane, t.lane_id, t.headers_id, t.items, t.bytes,
               coalesce(extract(epoch FROM now() - (
                   SELECT waiting_since FROM item
                   WHERE waiting_since IS NOT NULL AND item.lane_id = t.lane_id AND item.headers_id = t.headers_id
                   ORDER BY waiting_since LIMIT 1
               )), 0)::float AS oldest_age_s
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
    return [Waiting(**row) for row in rows]


def take_turn(connection: Connection, source: Waiting) -> Waiting | None:
    """Wait until no other packer is at this lane and headers; returns what waits there then, None for nothing.

    What was seen before may have been packed by another since: thresholds are for what is seen now.
    """
    one(
        connection,
        "SELECT pg_advisory_xact_lock(:lane_id, :headers_id)",
        lane_id=source.lane_id,
        headers_id=source.headers_id,
    )
    return next(iter(waiting(connection, lane_id=source.lane_id, headers_id=source.headers_id)), None)


def pack(connection: Connection, source: Waiting, *, max_items: int, max_bytes: int) -> int:
    """Make one batch of those that have waited longest. Returns how many items it took; 0 if there are none.

    Called in a turn. Nothing passes through this process: 100,000 items are one statement.
    """
    batch = one(
        connection,
        """
        INSERT INTO batch (lane_id, headers_id, state, items, size)
        VALUES (:lane_id, :headers_id, 'packed', 0, 0) RETURNING id
        """,
        lane_id=source.lane_id,
        headers_id=source.headers_id,
    )
    assert batch is not None
    # by an array and not by a join: the planner believes that few rows wait, and would compare each with each
    filled = one(
        connection,
        f"""
        WITH moved AS (
            UPDATE item SET {ITEM["pack"].set}, batch_id = :batch_id, waiting_since = NULL
            WHERE {ITEM["pack"].where} AND id = ANY(ARRAY(
                SELECT id FROM (
                    SELECT id, row_number() OVER w AS position, sum(size + {FRAME_BYTES}) OVER w AS filled
                    FROM (
                        SELECT id, size, waiting_since FROM item
                        WHERE waiting_since IS NOT NULL AND lane_id = :lane_id AND headers_id = :headers_id
                        ORDER BY waiting_since, id LIMIT :max_items
                    ) oldest WINDOW w AS (ORDER BY waiting_since, id)
                ) filling
                WHERE filled <= :max_bytes OR position = 1
            ))
            RETURNING size, schema_id, prefix_id
        ), filled AS (
            SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
                   count(prefix_id) > 0 AS has_prefixes
            FROM moved
        )
        UPDATE batch SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
            has_prefixes = filled.has_prefixes
        FROM filled WHERE id = :batch_id
        RETURNING batch.items
        """,
        batch_id=batch["id"],
        lane_id=source.lane_id,
        headers_id=source.headers_id,
        max_items=max_items,
        max_bytes=max_bytes,
    )
    assert filled is not None
    if not filled["items"]:
        count(connection, "DELETE FROM batch WHERE id = :id", id=batch["id"])
    return int(filled["items"])
