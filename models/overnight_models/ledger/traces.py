"""The traces of items: asked for only where spans go somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all, fetch_column


class Traced(NamedTuple):
    """An item that was enqueued within a span."""

    item_id: int
    traceparent: str
    tracestate: str | None
    model: str
    max_tokens: int
    asked_at: datetime
    """When it was sent, as nearly as the ledger knows."""


def of_batch(connection: Connection, batch_id: int, *, limit: int) -> Sequence[str]:
    """Spans of a batch's items, each once."""
    return fetch_column(
        connection,
        str,
        """
        SELECT DISTINCT request.traceparent FROM item JOIN request ON request.item_id = item.id
        WHERE item.batch_id = :batch_id AND request.traceparent IS NOT NULL LIMIT :limit
        """,
        batch_id=batch_id,
        limit=limit,
    )


def of_items(connection: Connection, submission_id: int | None, item_ids: Sequence[int]) -> list[Traced]:
    """Those of the items that were enqueued within a span. submission_id: or the direct claim's."""
    return fetch_all(
        connection,
        Traced,
        """
        SELECT item.id AS item_id, request.traceparent, request.tracestate, model.name AS model, item.max_tokens,
               coalesce(submission.let_go_at, submission.claimed_at, direct_claim.claimed_at, request.enqueued_at)
                   AS asked_at
        FROM item
        JOIN request ON request.item_id = item.id
        JOIN model ON model.id = item.model_id
        LEFT JOIN submission ON submission.id = :submission_id
        LEFT JOIN direct_claim ON direct_claim.id = :submission_id
        WHERE item.id = ANY(:ids) AND request.traceparent IS NOT NULL
        ORDER BY item.id
        """,
        submission_id=submission_id,
        ids=list(item_ids),
    )
