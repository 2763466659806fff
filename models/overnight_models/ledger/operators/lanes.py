"""Lanes: what operators do to them."""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.ledger.submit.facts import sent_before
from overnight_models.states import BATCH

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in BATCH.unfinished)


def pause(connection: Connection, lane_id: int, reason: str, by: str | None = None) -> bool:
    """Pack and submit nothing of this lane. Returns False when it was paused already.

    by: who; None: Overnight itself.
    """
    return (
        execute(
            connection,
            """
            UPDATE lane SET paused_at = now(), paused_reason = :reason, paused_by = :by, drain_until = NULL,
                            drained_by = NULL
            WHERE id = :id AND paused_at IS NULL
            """,
            id=lane_id,
            reason=reason,
            by=by,
        )
        == 1
    )


def drain(connection: Connection, lane_id: int, by: str) -> int | None:
    """What waits in it goes at once, whatever its thresholds and hours say; then it is paused.

    Returns how many items wait in it; None when it is paused already. Repeated, it counts what has come since.
    """
    drained = execute(
        connection,
        """
        UPDATE lane SET drain_until = (SELECT last_value FROM item_id), drained_by = :by
        WHERE id = :id AND paused_at IS NULL
        """,
        id=lane_id,
        by=by,
    )
    if not drained:
        return None
    return fetch_only_value(
        connection,
        int,
        "SELECT coalesce(sum(n), 0)::bigint FROM tally WHERE noun = 'item' AND state = 'waiting' AND lane_id = :id",
        id=lane_id,
    )


def end_drains(connection: Connection) -> list[str]:
    """Lanes that are drained are paused, once what was to go has its outcome, or is held. Returns their names.

    What has to be measured, or waits for its prefix, is waited for, and so are batches at Anthropic and further tries.
    """
    return fetch_column(
        connection,
        str,
        f"""
        UPDATE lane SET paused_at = now(), paused_reason = 'drained: what came later waits, and what is held',
                        paused_by = drained_by, drain_until = NULL, drained_by = NULL
        WHERE drain_until IS NOT NULL AND NOT EXISTS (
            SELECT FROM item WHERE lane_id = lane.id AND waiting_since IS NOT NULL AND item.id <= lane.drain_until
        ) AND NOT EXISTS (
            SELECT FROM batch JOIN item ON item.batch_id = batch.id
            WHERE batch.lane_id = lane.id AND batch.state IN ({_UNFINISHED}) AND item.id <= lane.drain_until
        ) AND NOT EXISTS (
            SELECT FROM direct_call JOIN item ON item.id = direct_call.item_id
            WHERE item.lane_id = lane.id AND item.id <= lane.drain_until
        )
        RETURNING name
        """,
    )


def resume(connection: Connection, lane_id: int) -> int | None:
    """Go on with it. Returns how many of its rejected batches are tried whole again; None when it wasn't paused.

    What was rejected is tried whole again: whoever lets the lane go on has mended what it was rejected for.
    """
    resumed = execute(
        connection,
        """
        UPDATE lane SET paused_at = NULL, paused_reason = NULL, paused_by = NULL
        WHERE id = :id AND paused_at IS NOT NULL
        """,
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


class LaneState(NamedTuple):
    """What people, or Overnight, did to a lane, and how many items wait in it."""

    name: str
    paused_at: datetime | None
    paused_by: str | None
    """None also when Overnight did."""
    paused_reason: str | None
    drained_by: str | None
    """Who has it emptied now."""
    waiting: int


def states(connection: Connection) -> list[LaneState]:
    """Every lane that ever had an item, by name."""
    return fetch_all(
        connection,
        LaneState,
        """
        SELECT name, paused_at, paused_by, paused_reason, drained_by, coalesce(counted.n, 0)::bigint AS waiting
        FROM lane LEFT JOIN (
            -- one pass over the tally, and not one a lane
            SELECT lane_id, sum(n) AS n FROM tally WHERE noun = 'item' AND state = 'waiting' GROUP BY lane_id
        ) counted ON counted.lane_id = lane.id
        ORDER BY name
        """,
    )
