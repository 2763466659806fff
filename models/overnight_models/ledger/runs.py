"""Runs: the bill of a named group of items, and when each stage was done with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from overnight_models.ledger.database import one


@dataclass(frozen=True)
class Bill:
    """What a run's answers cost, by their own usage."""

    answers: int
    paid_twice: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_nano: int
    realtime_nano: int
    """What the same tokens would have cost in real time."""


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


def bill(connection: Connection, run: str) -> Bill:
    """The run's bill so far."""
    row = one(
        connection,
        """
        SELECT coalesce(sum(answers), 0)::bigint AS answers, coalesce(sum(paid_twice), 0)::bigint AS paid_twice,
               coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
               coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
               coalesce(sum(cache_read_tokens), 0)::bigint AS cache_read_tokens,
               coalesce(sum(cache_write_5m_tokens + cache_write_1h_tokens), 0)::bigint AS cache_write_tokens,
               coalesce(sum(cost_nano), 0)::bigint AS cost_nano,
               coalesce(sum(realtime_nano), 0)::bigint AS realtime_nano
        FROM spending WHERE run_id = (SELECT id FROM run WHERE name = :run)
        """,
        run=run,
    )
    assert row is not None
    return Bill(**row)


def timeline(connection: Connection, run: str) -> Timeline:
    """When each stage was done with the run, by the database's and the API's clocks."""
    row = one(
        connection,
        """
        WITH mine AS (SELECT id, batch_id FROM item WHERE run_id = (SELECT id FROM run WHERE name = :run)),
        batches AS (SELECT DISTINCT batch_id AS id FROM mine WHERE batch_id IS NOT NULL)
        SELECT (SELECT max(enqueued_at) FROM request WHERE item_id IN (SELECT id FROM mine)) AS accepted_at,
               max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
               max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at,
               (SELECT max(finished_at) FROM outcome WHERE item_id IN (SELECT id FROM mine)) AS collected_at,
               count(DISTINCT batch.id) AS batches
        FROM batches JOIN batch ON batch.id = batches.id LEFT JOIN submission ON submission.batch_id = batch.id
        """,
        run=run,
    )
    assert row is not None
    return Timeline(**row)
