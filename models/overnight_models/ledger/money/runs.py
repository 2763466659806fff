"""Runs: when each stage was done with a named group of items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_only
from overnight_models.ledger.run_items import items_of, of_whole_run


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
        SELECT (SELECT max(enqueued_at) FROM {of_whole_run("request", but_redone=False)}) AS accepted_at,
               max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
               max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at,
               (SELECT max(finished_at) FROM {of_whole_run("outcome", but_redone=False)}) AS collected_at,
               count(DISTINCT batch.id) AS batches
        FROM (SELECT DISTINCT batch_id FROM {items_of()}) mine
        JOIN batch ON batch.id = mine.batch_id LEFT JOIN submission ON submission.batch_id = batch.id
        """,
        run=run,
    )
