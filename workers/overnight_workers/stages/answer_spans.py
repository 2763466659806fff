"""Spans of answers that were just recorded: the same for a batch and for real time."""

from __future__ import annotations

from collections.abc import Sequence

from overnight_models.errors import TransientError
from overnight_models.ledger import traces
from overnight_models.ledger.collect.arrivals import Arrival, Source
from overnight_models.wire import traceparent
from overnight_workers import process
from overnight_workers.telemetry import tracing


def write(source: Source, arrivals: Sequence[Arrival]) -> None:
    """One for each answer of an item with a trace. Never raises for a server that is away: they are recorded anyway."""
    if not tracing.is_on():
        return
    came = {arrival.item_id: arrival for arrival in arrivals}
    try:
        with process.database().transaction() as connection:
            traced = traces.of_items(connection, source.submission_id, list(came))
    except TransientError:
        return
    where = {"overnight.via": source.via, "overnight.batch_id": source.api_batch_id or ""}
    tracing.answers(
        tracing.Answer(
            traceparent.fields(item.traceparent, item.tracestate),
            item.asked_at,
            item.model,
            item.max_tokens,
            came[item.item_id].message,
            came[item.item_id].problem,
            where,
        )
        for item in traced
    )
