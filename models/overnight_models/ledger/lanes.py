"""Lanes: what operators do to them."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger.database import count


def pause(connection: Connection, lane_id: int, reason: str) -> bool:
    """Pack and submit nothing of this lane. Returns False when it was paused already."""
    return (
        count(
            connection,
            "UPDATE lane SET paused_at = now(), paused_reason = :reason WHERE id = :id AND paused_at IS NULL",
            id=lane_id,
            reason=reason,
        )
        == 1
    )


def resume(connection: Connection, lane_id: int) -> bool:
    """Go on with it. Returns False when it wasn't paused."""
    return (
        count(
            connection,
            "UPDATE lane SET paused_at = NULL, paused_reason = NULL WHERE id = :id AND paused_at IS NOT NULL",
            id=lane_id,
        )
        == 1
    )
