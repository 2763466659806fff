"""Lanes: what operators do to them."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger.rows import execute
from overnight_models.ledger.submit.facts import sent_before
from overnight_models.states import BATCH


def pause(connection: Connection, lane_id: int, reason: str) -> bool:
    """Pack and submit nothing of this lane. Returns False when it was paused already."""
    return (
        execute(
            connection,
            "UPDATE lane SET paused_at = now(), paused_reason = :reason WHERE id = :id AND paused_at IS NULL",
            id=lane_id,
            reason=reason,
        )
        == 1
    )


def resume(connection: Connection, lane_id: int) -> int | None:
    """Go on with it. Returns how many of its rejected batches are tried whole again; None when it wasn't paused.

    What was rejected is tried whole again: whoever lets the lane go on has mended what it was rejected for.
    """
    resumed = execute(
        connection,
        "UPDATE lane SET paused_at = NULL, paused_reason = NULL WHERE id = :id AND paused_at IS NOT NULL",
        id=lane_id,
    )
    if not resumed:
        return None
    return execute(
        connection,
        f"""
        UPDATE batch SET {BATCH.repack.set}, changed_at = now(), not_before = NULL
        WHERE lane_id = :id AND {BATCH.repack.where}
          AND NOT {sent_before("batch")}
        """,
        id=lane_id,
    )
