"""Runs: when each stage was done with a named group of items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_only
from overnight_models.ledger.run_items import items_of


@dataclass(frozen=True)
class Timeline:
    """When the last of a run's items had passed each stage; None while it hasn't."""

    accepted_at: datetime | None
    packed_at: datetime | None
    claimed_at: datetime | None
    created_at: datetime | None
    ended_at: datetime | None
    collected_at: datetime | None
    batches: int


def timeline(connection: Connection, run: str) -> Timeline:
    """When each stage was done with the run, by the database's and the API's clocks."""
    return fetch_only(
        connection,
        Timeline,
        f"""
        WITH mine AS (
            SELECT item.batch_id, max(request.enqueued_at) AS accepted_at, max(outcome.finished_at) AS collected_at
            FROM {items_of()}
            LEFT JOIN request ON request.item_id = item.id LEFT JOIN outcome ON outcome.item_id = item.id
            GROUP BY item.batch_id
        )
        SELECT (SELECT max(accepted_at) FROM mine) AS accepted_at,
               max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
               max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at,
               (SELECT max(collected_at) FROM mine) AS collected_at,
               count(DISTINCT batch.id) AS batches
        FROM mine JOIN batch ON batch.id = mine.batch_id LEFT JOIN submission ON submission.batch_id = batch.id
        """,
        run=run,
    )
