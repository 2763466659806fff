"""Rejected batches: divided down to the culprit (rejected creates are free)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from overnight_models.ledger.bodies.encryption import MARK
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money import settle
from overnight_models.ledger.moves import move_locked_batch
from overnight_models.ledger.rows import execute, fetch_column, fetch_one
from overnight_models.ledger.submit.facts import sent_before
from overnight_models.states import BATCH


@dataclass(frozen=True)
class RejectedBatch:
    """A batch whose create the API turned down."""

    batch_id: int
    lane_id: int
    headers_id: int
    items: int
    reason: str
    """As the row has it: see `bodies.said`."""
    alike: bool
    """So were its other half, and both halves of the time before, in the same words: no single item is the culprit."""


def _words(batch: str) -> str:
    """A rejection's words, without the numbers that only say where; of encrypted ones, what is equal where they are."""
    return f"regexp_replace({batch}.reason, '{MARK}.*|[0-9]+', '', 'g')"


_ALIKE: Final = f"""
    -- too large is no fault of the request: smaller halves pass
    batch.reason NOT LIKE '413%' AND EXISTS (
        SELECT FROM batch parent JOIN batch half ON half.parent_id IN (batch.parent_id, parent.parent_id)
        WHERE parent.id = batch.parent_id AND half.state IN ('rejected', 'split', 'failed')
          AND {_words("half")} = {_words("batch")}
        HAVING count(*) = 4
    )
"""


def take_rejected(connection: Connection) -> RejectedBatch | None:
    """The next rejected batch of which no submission lives, nor of one that it is a part of, locked (R7).

    Those of a paused lane wait, to be tried whole when it goes on.
    """
    return fetch_one(
        connection,
        RejectedBatch,
        f"""
        SELECT batch.id AS batch_id, lane_id, headers_id, reason, {_ALIKE} AS alike,
               (SELECT count(*) FROM item WHERE batch_id = batch.id AND state = 'batched') AS items
        FROM batch JOIN lane ON lane.id = batch.lane_id
        WHERE batch.{BATCH.divide.where} AND lane.paused_at IS NULL
          AND NOT {sent_before("batch")}
        ORDER BY batch.id LIMIT 1 FOR UPDATE OF batch SKIP LOCKED
        """,
    )


def divide(connection: Connection, rejected: RejectedBatch) -> list[int]:
    """Two batches, of half the bytes each, in place of a rejected one."""
    budgeted = settle.is_budgeted(connection, rejected.batch_id)
    move_locked_batch(connection, BATCH.divide, rejected.batch_id, rejected.reason)
    parts = fetch_column(
        connection,
        int,
        """
        INSERT INTO batch (lane_id, headers_id, parent_id, state, items, size, has_schemas, has_prefixes)
        SELECT lane_id, headers_id, id, 'packed', 0, 0, has_schemas, has_prefixes
        FROM batch, generate_series(1, 2)
        WHERE id = :parent_id RETURNING id
        """,
        parent_id=rejected.batch_id,
    )
    _share_out(connection, rejected.batch_id, parts)
    if budgeted:
        settle.pass_on(connection, rejected.batch_id, parts)
    return parts


def _share_out(connection: Connection, parent_id: int, parts: Sequence[int]) -> None:
    """The items of a batch go into two others, in the order of their ids, half of the bytes into each."""
    execute(
        connection,
        """
        WITH half AS (
            SELECT id, sum(size) OVER (ORDER BY id) <= sum(size) OVER () / 2
                       OR row_number() OVER (ORDER BY id) = 1 AS first,
                   row_number() OVER (ORDER BY id DESC) = 1 AS last
            FROM item WHERE batch_id = :parent_id AND state = 'batched'
        )
        UPDATE item SET batch_id = CASE WHEN half.first AND NOT half.last THEN :left ELSE :right END
        FROM half WHERE item.id = half.id
        """,
        parent_id=parent_id,
        left=parts[0],
        right=parts[1],
    )
    execute(
        connection,
        """
        UPDATE batch SET items = part.items, size = part.size
        FROM (
            SELECT batch_id, count(*) AS items, sum(size) AS size FROM item
            WHERE batch_id = ANY(:parts) GROUP BY batch_id
        ) part
        WHERE batch.id = part.batch_id
        """,
        parts=parts,
    )


def give_up(connection: Connection, rejected: RejectedBatch) -> None:
    """A rejected batch with one item left: that item is the culprit, and the batch is over."""
    move_locked_batch(connection, BATCH.give_up, rejected.batch_id, rejected.reason)


def members(connection: Connection, batch_id: int) -> list[int]:
    """The items that are in a batch now."""
    return fetch_column(
        connection, int, "SELECT id FROM item WHERE batch_id = :id AND state = 'batched' ORDER BY id", id=batch_id
    )
