"""Taking items back: before they are sent they are canceled, afterwards they are only not delivered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from overnight_models.ledger import following
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money import settle
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_value
from overnight_models.states import ITEM

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in ITEM.unfinished)

_OUTCOMES = """
    INSERT INTO outcome (item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
    SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts,
           CASE WHEN id = ANY(CAST(:direct AS bigint[])) THEN 'direct' ELSE 'batch' END
    FROM moved
"""


class Canceled(StrEnum):
    """What became of a wish to cancel."""

    CANCELED = "canceled"
    """Never sent, never billed."""
    TOO_LATE = "too_late"
    """It may have been sent: it is billed and recorded, and not delivered."""
    UNKNOWN = "unknown"
    """There is no such item."""


class TakenBack(NamedTuple):
    """What became of a wish to cancel items."""

    canceled: frozenset[int]
    """Never sent, never billed: these were taken back now."""
    too_late: int
    """They may have been sent."""


class _Item(NamedTuple):
    """Where an item is."""

    id: int
    is_unfinished: bool
    is_direct: bool
    """It waits to be sent in real time."""


def cancel(connection: Connection, item_id: int) -> Canceled:
    """Take one item back. Repeating it changes nothing."""
    taken = take_back(connection, [item_id])
    if item_id in taken.canceled:
        return Canceled.CANCELED
    state = fetch_value(connection, str, "SELECT state FROM item WHERE id = :id", id=item_id)
    if state is None:
        return Canceled.UNKNOWN
    return Canceled.CANCELED if state == "canceled" else Canceled.TOO_LATE


def take_back(connection: Connection, item_ids: Sequence[int]) -> TakenBack:
    """Take items back, all of them or none. What is final stays as it is.

    What may have been sent can't be un-bought: it is billed and recorded, and not delivered; should its batch turn out
    never to have been created, it is taken out of it then. What follows a canceled item is canceled with it.
    """
    ids = list(item_ids)
    # batches first, then items by their ids: the order in which everybody locks
    batches = fetch_column(
        connection,
        int,
        """
        SELECT id FROM batch WHERE id IN (SELECT batch_id FROM item WHERE item.id = ANY(:ids) AND batch_id IS NOT NULL)
        ORDER BY id FOR SHARE
        """,
        ids=ids,
    )
    items = fetch_all(
        connection,
        _Item,
        f"""
        SELECT id, state IN ({_UNFINISHED}) AS is_unfinished, direct_at <= now() IS TRUE AS is_direct FROM item
        WHERE id = ANY(:ids) ORDER BY id FOR UPDATE
        """,
        ids=ids,
    )
    unfinished = [item.id for item in items if item.is_unfinished]
    execute(
        connection,
        "UPDATE item SET cancel_wanted = true, direct_at = NULL WHERE id = ANY(:ids) AND NOT cancel_wanted",
        ids=[item.id for item in items],
    )
    canceled = _cancel(connection, unfinished, direct=[item.id for item in items if item.is_direct])
    for batch_id in batches:
        canceled += unpack(connection, batch_id=batch_id, item_ids=unfinished)
    if canceled:
        following.answer(connection, canceled)
    return TakenBack(frozenset(canceled), len(unfinished) - len(canceled))


def _cancel(connection: Connection, item_ids: Sequence[int], *, direct: Sequence[int]) -> list[int]:
    """Items that nobody is sending are canceled; which. direct: those that wait on the direct road."""
    return fetch_column(
        connection,
        int,
        f"""
        WITH moved AS (
            UPDATE item SET {ITEM.cancel.set}, waiting_since = NULL, held_by = NULL, direct_at = NULL
            WHERE id = ANY(:ids) AND {ITEM.cancel.where} RETURNING id, attempts
        ) {_OUTCOMES} RETURNING item_id
        """,
        ids=list(item_ids),
        direct=list(direct),
    )


def unpack(connection: Connection, *, batch_id: int, item_ids: Sequence[int] | None = None) -> list[int]:
    """Take unwanted items (or of these alone) out of a batch that isn't being sent. Returns those that were."""
    budgeted = settle.is_budgeted(connection, batch_id)
    unpacked = fetch_column(
        connection,
        int,
        f"""
        WITH moved AS (
            UPDATE item SET {ITEM.unpack.set}, direct_at = NULL
            FROM batch
            WHERE item.batch_id = :batch_id AND batch.id = :batch_id AND batch.state = 'packed'
              AND item.cancel_wanted AND (CAST(:item_ids AS bigint[]) IS NULL OR item.id = ANY(:item_ids))
              AND item.{ITEM.unpack.where}
            RETURNING item.id, item.attempts
        ) {_OUTCOMES} RETURNING item_id
        """,
        batch_id=batch_id,
        item_ids=None if item_ids is None else list(item_ids),
        direct=[],
    )
    if unpacked and budgeted:
        settle.free(connection, batch_id, unpacked)
    if unpacked:
        following.answer(connection, unpacked)
    return unpacked
