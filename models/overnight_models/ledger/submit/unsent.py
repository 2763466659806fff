"""Batches that aren't sent yet while deadlines come nearer: what would be late leaves them, and is paid once.

What is in real time already when its batch is about to be sent stays out of it: `leave_to_calls`.
"""

from __future__ import annotations

from collections.abc import Mapping

from overnight_models.ledger.bodies import requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money import settle
from overnight_models.ledger.rows import fetch_column, fetch_value
from overnight_models.states import ITEM


def take_out(connection: Connection, batch_id: int, *, needs_s: float) -> int:
    """Items whose deadline is nearer than their batch needs go in real time without it. Returns how many.

    Nothing is done when the batch isn't packed any more, or somebody is at it: the next look finds out.
    """
    budgeted = settle.is_budgeted(connection, batch_id)
    unsent = "SELECT id FROM batch WHERE id = :id AND state = 'packed' FOR UPDATE SKIP LOCKED"
    if fetch_value(connection, int, unsent, id=batch_id) is None:
        return 0
    left = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.leave.set}, batch_id = NULL, waiting_since = now(),
               direct_at = deadline - make_interval(secs => :needs_s)
        WHERE item.{ITEM.leave.where} AND id = ANY(ARRAY(
            SELECT id FROM item
            WHERE batch_id = :batch_id AND state = 'batched' AND NOT cancel_wanted
              AND deadline < now() + make_interval(secs => :needs_s)
            ORDER BY id FOR UPDATE
        ))
        RETURNING id
        """,
        batch_id=batch_id,
        needs_s=needs_s,
    )
    if left and budgeted:
        settle.free(connection, batch_id, left)
    return len(left)


def put_aside(connection: Connection, batch_id: int, damaged: Mapping[int, str]) -> int:
    """Items of a packed batch whose requests can't be read leave it and are held. Returns how many.

    damaged: by item, why.
    """
    budgeted = settle.is_budgeted(connection, batch_id)
    left = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.leave.set}, batch_id = NULL, waiting_since = now()
        FROM batch
        WHERE item.{ITEM.leave.where} AND item.batch_id = batch.id AND batch.id = :batch_id AND batch.state = 'packed'
          AND item.id = ANY(:ids)
        RETURNING item.id
        """,
        batch_id=batch_id,
        ids=list(damaged),
    )
    if left and budgeted:
        settle.free(connection, batch_id, left)
    return requests.hold(connection, {item_id: damaged[item_id] for item_id in left})


def leave_to_calls(connection: Connection, batch_id: int) -> int:
    """Items of a batch that is about to be sent, and that are being sent in real time, are sent by that call alone.

    Returns how many. Their batch is locked by whoever asks.
    """
    budgeted = settle.is_budgeted(connection, batch_id)
    left = fetch_column(
        connection,
        int,
        f"""
        UPDATE item SET {ITEM.outlast.set}, batch_id = NULL
        WHERE {ITEM.outlast.where} AND id = ANY(ARRAY(
            SELECT id FROM item WHERE batch_id = :batch_id AND state = 'racing' ORDER BY id FOR UPDATE
        ))
        RETURNING id
        """,
        batch_id=batch_id,
    )
    if left and budgeted:
        settle.free(connection, batch_id, left)
    return len(left)
