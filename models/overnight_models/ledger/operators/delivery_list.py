"""Deliveries by where they go, and dead ones by what was said; each count is bounded, however many there are."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all

MOST_COUNTED: Final = 10_000
"""So many of a target and state are counted."""
MOST_DEAD: Final = 5_000
"""So many of the newest dead deliveries are grouped."""


class TargetView(NamedTuple):
    """A queue of a product, and what is on its way to it."""

    broker: str
    """'' is Overnight's own Redis."""
    queue: str
    due: int
    """`MOST_COUNTED` and one for more."""
    sending: int
    awaiting_ack: int
    oldest_due_at: datetime | None
    messages: int | None
    """In the queue when it was last looked at."""
    looked_at: datetime | None
    oldest_since: datetime | None
    """Since when nobody has taken its oldest message."""
    obstacle: str | None
    """What keeps deliveries from it."""
    obstacle_since: datetime | None


def targets(connection: Connection) -> list[TargetView]:
    """Every queue that outcomes ever went to, those with something due first; at most 200."""
    counted = "(SELECT count(*) FROM (SELECT FROM delivery WHERE {} LIMIT :most) counted)"
    # `sending` and `awaiting_ack` have no index by target: few are so at once
    by_state = "target_id = target.id AND state = '{}'"
    return fetch_all(
        connection,
        TargetView,
        f"""
        SELECT target.broker, target.queue, {counted.format(by_state.format("due"))} AS due,
               coalesce(moving.sending, 0) AS sending, coalesce(moving.awaiting_ack, 0) AS awaiting_ack,
               (SELECT due_at FROM delivery WHERE target_id = target.id AND state = 'due' ORDER BY due_at LIMIT 1)
               AS oldest_due_at, target.messages, target.looked_at, target.oldest_since,
               obstacle.why AS obstacle, obstacle.since AS obstacle_since
        FROM (SELECT * FROM target ORDER BY id DESC LIMIT 200) target
        LEFT JOIN (
            SELECT target_id, sum(n) FILTER (WHERE state = 'sending') AS sending,
                   sum(n) FILTER (WHERE state = 'awaiting_ack') AS awaiting_ack
            FROM (
                (SELECT target_id, state, 1 AS n FROM delivery
                 WHERE state = 'sending' AND due_at > '-infinity' LIMIT :most)
                UNION ALL SELECT target_id, 'sending', items FROM hand_over
                UNION ALL (SELECT target_id, state, 1 FROM delivery WHERE state = 'awaiting_ack' LIMIT :most)
            ) under_way GROUP BY target_id
        ) moving ON moving.target_id = target.id
        LEFT JOIN LATERAL (
            SELECT why, since FROM obstacle
            WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue) ORDER BY since LIMIT 1
        ) obstacle ON true
        ORDER BY due DESC, target.broker, target.queue
        """,
        most=MOST_COUNTED + 1,
    )


class DeadGroup(NamedTuple):
    """Dead deliveries that say the same, word for word."""

    lane: str
    broker: str
    queue: str
    error: str
    n: int
    newest_item_id: int


def dead(connection: Connection) -> list[DeadGroup]:
    """The newest dead deliveries by target and error, the most frequent first."""
    return fetch_all(
        connection,
        DeadGroup,
        """
        SELECT lane.name AS lane, target.broker, target.queue, coalesce(left(newest.error, 400), '') AS error,
               count(*) AS n, max(newest.item_id) AS newest_item_id
        FROM (
            SELECT item_id, lane_id, target_id, error FROM delivery WHERE state = 'dead'
            ORDER BY item_id DESC LIMIT :most
        ) newest
        JOIN lane ON lane.id = newest.lane_id JOIN target ON target.id = newest.target_id
        GROUP BY 1, 2, 3, 4 ORDER BY n DESC, newest_item_id DESC
        """,
        most=MOST_DEAD,
    )
