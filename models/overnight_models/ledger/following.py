"""Following: items that ask what another item asks already, for somebody else, end with that one and with its outcome.

Nothing is sent for them and nothing is billed; each has its own receipt, run, tenant, callback and delivery.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection

from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value, fetch_pairs
from overnight_models.states import DELIVERY, ITEM, Move

_MOVES: Final[dict[str, Move]] = {"succeeded": ITEM.succeed, "failed": ITEM.fail, "canceled": ITEM.cancel}


def answer(connection: Connection, leaders: Collection[int] | None = None) -> int:
    """Items whose leaders are final end as those did. Returns how many deliveries are due now.

    leaders: only those that follow one of these; None for whoever was overlooked.
    """
    if not fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM follower)"):
        return 0
    ends = fetch_pairs(
        connection,
        int,
        str,
        """
        SELECT follower.item_id, leader.state
        FROM follower JOIN item leader ON leader.id = follower.of_item_id JOIN item ON item.id = follower.item_id
        WHERE item.state = 'following' AND leader.state IN ('succeeded', 'failed', 'canceled')
          AND (CAST(:leaders AS bigint[]) IS NULL OR of_item_id = ANY(:leaders))
        ORDER BY follower.item_id
        """,
        leaders=None if leaders is None else list(leaders),
    )
    due = 0
    for state, move in _MOVES.items():
        ids = [item_id for item_id, its_leaders in ends.items() if its_leaders == state]
        if ids:
            due += _end(connection, move, ids)
    return due


def _end(connection: Connection, move: Move, item_ids: list[int]) -> int:
    """Followers end by this move. Returns how many deliveries are due now."""
    ids = fetch_column(
        connection,
        int,
        f"UPDATE item SET {move.set} WHERE id = ANY(:ids) AND state = 'following' AND {move.where} RETURNING id",
        ids=item_ids,
    )
    execute(
        connection,
        """
        INSERT INTO outcome (item_id, cost_nano, realtime_nano, attempts, ok, retryable, via, problem, detail, model,
                             api_batch_id, message)
        SELECT follower.item_id, 0, 0, outcome.attempts, ok, retryable, via, problem, detail, model, api_batch_id,
               message
        FROM follower JOIN outcome ON outcome.item_id = follower.of_item_id WHERE follower.item_id = ANY(:ids)
        """,
        ids=ids,
    )
    return execute(
        connection,
        """
        INSERT INTO delivery (item_id, lane_id, target_id, state, size)
        SELECT item.id, lane_id, target_id, 'due', (coalesce(octet_length(message), 0) + callback_size) * 21 / 20 + 1700
        FROM item JOIN outcome ON outcome.item_id = item.id
        WHERE item.id = ANY(:ids) AND target_id IS NOT NULL AND NOT cancel_wanted
        """,
        ids=ids,
    )


def send_again(connection: Connection, item_ids: Collection[int]) -> int:
    """Outcomes that were delivered, or given up, are due again with the same delivery id. Returns how many."""
    return execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.replay.set}, generation = generation + 1, tries = 0, error = NULL, due_at = now()
        WHERE item_id = ANY(:ids) AND {DELIVERY.replay.where}
        """,
        ids=list(item_ids),
    )
