"""Sums of money, plans and batches go last, by their age."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.retention.keep import LISTS_END, Keeps
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.states import BATCH

_OVER: Final = ", ".join(f"'{state}'" for state in sorted(BATCH.final))
_OF_MONEY: Final = {
    "spending": "spending.at < due.before",
    "maybe_billed": "maybe_billed.at < due.before",
    "plan": "plan.made_at < due.before AND plan.billed_at IS NOT NULL",
    "direct_claim": """
        direct_claim.done_at < due.before
        AND NOT EXISTS (SELECT FROM direct_call WHERE claim_id = direct_claim.id)
        AND NOT EXISTS (SELECT FROM booking WHERE booking.batch_id = direct_claim.batch_number)
    """,
}
"""What has a lane and an age, and when it may go."""


def forget_money(connection: Connection, keeps: Keeps, *, now: datetime | None = None, limit: int = 1000) -> int:
    """What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.

    Only what is over: a batch with an item, a booking or a create that may turn up stays.
    """
    now = now or fetch_only_value(connection, datetime, "SELECT now()")
    due = {lane: now - timedelta(seconds=keep.money) for lane, keep in keeps.items() if keep.money is not None}
    values: dict[str, object] = {"lanes": list(due), "befores": list(due.values()), "limit": limit}
    dues = "unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due (lane_id, before)"
    gone = 0
    for table, may_go in _OF_MONEY.items():
        gone += execute(
            connection,
            f"""
            DELETE FROM {table} WHERE id = ANY(ARRAY(
                SELECT {table}.id FROM {table} JOIN {dues} ON due.lane_id = {table}.lane_id WHERE {may_go} LIMIT :limit
            ))
            """,
            **values,
        )
    batches = fetch_column(
        connection,
        int,
        f"""
        SELECT batch.id FROM batch JOIN {dues} ON due.lane_id = batch.lane_id
        WHERE batch.changed_at < due.before AND batch.state IN ({_OVER})
          AND NOT EXISTS (SELECT FROM item WHERE item.batch_id = batch.id)
          AND NOT EXISTS (SELECT FROM booking WHERE booking.batch_id = batch.id)
          AND NOT EXISTS (
              SELECT FROM submission WHERE submission.batch_id = batch.id AND submission.state NOT IN ('void', 'done')
                AND (submission.state <> 'lost' OR submission.claimed_at > :listed_since)
          )
        ORDER BY batch.id LIMIT :limit
        """,
        listed_since=now - LISTS_END,
        **values,
    )
    of_batches = "SELECT id FROM submission WHERE batch_id = ANY(:batches)"
    execute(connection, f"DELETE FROM caching WHERE submission_id IN ({of_batches})", batches=batches)
    execute(connection, "DELETE FROM primer WHERE batch_id = ANY(:batches)", batches=batches)
    execute(connection, "DELETE FROM submission WHERE batch_id = ANY(:batches)", batches=batches)
    return gone + execute(connection, "DELETE FROM batch WHERE id = ANY(:batches)", batches=batches)
