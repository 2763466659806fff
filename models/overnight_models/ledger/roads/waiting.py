"""Waiting items with deadlines: which of them no batch brings home in time any more, and which nobody needs any more.

An item whose `direct_at` is set goes in real time. It stays null as long as a batch is likely enough, so nothing of the
millions that wait is written before it has to be: the index has the waiting ones of a lane by their deadlines.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column

FOR_A_BATCH: Final = "item.waiting_since IS NOT NULL AND item.direct_at IS NULL"
"""The guard: it waits for a batch."""


class Earliest(NamedTuple):
    """Of the items of one lane and one set of headers that wait for a batch: those with deadlines."""

    lane_id: int
    headers_id: int
    lane: str
    deadline: datetime
    """The earliest."""
    within_s: float
    """Until then; negative when it is over."""


def earliest(connection: Connection, lanes: list[str]) -> list[Earliest]:
    """The earliest deadline of what waits for a batch in these lanes. One look into the index for each."""
    return fetch_all(
        connection,
        Earliest,
        f"""
        SELECT lane.id AS lane_id, waiting.headers_id, lane.name AS lane, first.deadline,
               extract(epoch FROM first.deadline - now())::float AS within_s
        FROM lane
        JOIN (
            SELECT lane_id, headers_id FROM tally WHERE noun = 'item' AND state = 'waiting'
            GROUP BY lane_id, headers_id HAVING sum(n) > 0
        ) waiting ON waiting.lane_id = lane.id
        CROSS JOIN LATERAL (
            SELECT deadline FROM item
            WHERE item.lane_id = waiting.lane_id AND item.headers_id = waiting.headers_id
              AND {FOR_A_BATCH} AND item.deadline IS NOT NULL
            ORDER BY item.deadline LIMIT 1
        ) first
        WHERE lane.name = ANY(:lanes) AND lane.paused_at IS NULL
        """,
        lanes=lanes,
    )


def leave(
    connection: Connection, lane_id: int, headers_id: int, *, needs_s: float, most_doubts: int, limit: int
) -> int:
    """Those of a lane and headers whose deadline is nearer than a batch needs go in real time. Returns how many.

    The one whose deadline is the earliest had to leave first, and goes first.

    most_doubts: of which more calls than these may have been billed waits for a batch all the same.
    """
    return execute(
        connection,
        f"""
        UPDATE item SET direct_at = deadline - make_interval(secs => :needs_s)
        WHERE {FOR_A_BATCH} AND id = ANY(ARRAY(
            SELECT id FROM item
            WHERE lane_id = :lane_id AND headers_id = :headers_id AND {FOR_A_BATCH} AND deadline IS NOT NULL
              AND deadline < now() + make_interval(secs => :needs_s)
              AND (SELECT count(*) FROM maybe_billed WHERE maybe_billed.item_id = item.id) <= :most_doubts
            ORDER BY deadline LIMIT :limit FOR UPDATE SKIP LOCKED
        ))
        """,
        lane_id=lane_id,
        headers_id=headers_id,
        needs_s=needs_s,
        most_doubts=most_doubts,
        limit=limit,
    )


def of_no_use(connection: Connection, *, limit: int) -> list[int]:
    """Items that weren't sent before their `give_up_at`, locked until the transaction ends; nobody is buying them."""
    return fetch_column(
        connection,
        int,
        """
        SELECT id FROM item
        WHERE give_up_at <= now() AND (waiting_since IS NOT NULL OR held_by IS NOT NULL)
        ORDER BY give_up_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        limit=limit,
    )
