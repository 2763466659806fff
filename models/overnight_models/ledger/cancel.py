"""Taking items back: before they are sent they are canceled, afterwards they are only not delivered."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from sqlalchemy import Connection

from overnight_models.ledger import following
from overnight_models.ledger.money import settle
from overnight_models.ledger.rows import execute, fetch_column, fetch_one, fetch_only_value
from overnight_models.states import ITEM

_OUTCOMES = """
    INSERT INTO outcome (item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
    SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts, '{via}' FROM moved
"""


class Canceled(StrEnum):
    """What became of a wish to cancel."""

    CANCELED = "canceled"
    """Never sent, never billed."""
    TOO_LATE = "too_late"
    """It may have been sent: it is billed and recorded, and not delivered."""
    UNKNOWN = "unknown"
    """There is no such item."""


class _Item(NamedTuple):
    """Where an item is."""

    state: str
    batch_id: int | None
    is_direct: bool
    """It waits to be sent in real time."""


def cancel(connection: Connection, item_id: int) -> Canceled:
    """Take one item back. Repeating it changes nothing."""
    item = fetch_one(
        connection,
        _Item,
        "SELECT state, batch_id, direct_at <= now() IS TRUE AS is_direct FROM item WHERE id = :id",
        id=item_id,
    )
    if item is None:
        return Canceled.UNKNOWN
    if item.batch_id is not None:
        # its batch first, then the item: the order in which everybody locks
        execute(connection, "SELECT FROM batch WHERE id = :id FOR SHARE", id=item.batch_id)
    execute(
        connection,
        "UPDATE item SET cancel_wanted = true, direct_at = NULL WHERE id = :id AND NOT cancel_wanted",
        id=item_id,
    )
    canceled = execute(
        connection,
        f"""
        WITH moved AS (
            UPDATE item SET {ITEM.cancel.set}, waiting_since = NULL, held_by = NULL, direct_at = NULL
            WHERE id = :id AND {ITEM.cancel.where} RETURNING id, attempts
        ) {_OUTCOMES.format(via="direct" if item.is_direct else "batch")}
        """,
        id=item_id,
    )
    canceled += unpack(connection, batch_id=item.batch_id, item_id=item_id)
    if canceled:
        following.answer(connection, [item_id])
        return Canceled.CANCELED
    state = fetch_only_value(connection, str, "SELECT state FROM item WHERE id = :id", id=item_id)
    return Canceled.CANCELED if state == "canceled" else Canceled.TOO_LATE


def unpack(connection: Connection, *, batch_id: int | None, item_id: int | None = None) -> int:
    """Take unwanted items (or this item alone) out of a batch that isn't being sent. Returns how many."""
    if batch_id is None:
        return 0
    budgeted = settle.is_budgeted(connection, batch_id)
    unpacked = fetch_column(
        connection,
        int,
        f"""
        WITH moved AS (
            UPDATE item SET {ITEM.unpack.set}, direct_at = NULL
            FROM batch
            WHERE item.batch_id = :batch_id AND batch.id = :batch_id AND batch.state = 'packed'
              AND item.cancel_wanted AND (CAST(:item_id AS bigint) IS NULL OR item.id = :item_id)
              AND item.{ITEM.unpack.where}
            RETURNING item.id, item.attempts
        ) {_OUTCOMES.format(via="batch")} RETURNING item_id
        """,
        batch_id=batch_id,
        item_id=item_id,
    )
    if unpacked and budgeted:
        settle.free(connection, batch_id, unpacked)
    if unpacked:
        following.answer(connection, unpacked)
    return len(unpacked)
