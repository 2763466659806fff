"""Single batches and submissions make their moves, named in `states.py`, and only from where those begin."""

from __future__ import annotations

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute
from overnight_models.states import Move


def move_batch(connection: Connection, move: Move, batch_id: int, reason: str | None) -> bool:
    """Move a batch. False when it is no longer where the move begins."""
    return (
        execute(
            connection,
            f"""
            UPDATE batch SET {move.set}, changed_at = now(), reason = :reason
            WHERE id = :id AND {move.where}
            """,
            id=batch_id,
            reason=reason,
        )
        == 1
    )


def move_locked_batch(connection: Connection, move: Move, batch_id: int, reason: str | None) -> None:
    """Move a batch that this transaction has locked in a state where the move begins: nobody else can be faster."""
    moved = move_batch(connection, move, batch_id, reason)
    assert moved, f"batch {batch_id} is locked and can't {move.name}"


def move_submission(connection: Connection, move: Move, submission_id: int, error: str | None = None) -> bool:
    """Move a submission. False when it is no longer where the move begins."""
    return (
        execute(
            connection,
            f"""
            UPDATE submission SET {move.set}, error = coalesce(:error, error)
            WHERE id = :id AND {move.where}
            """,
            id=submission_id,
            error=error,
        )
        == 1
    )
