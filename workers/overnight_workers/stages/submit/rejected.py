"""Rejected batches, divided until the request is alone that the API turns down; a rejected create costs nothing."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models.ledger.bodies import said
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.operators import lanes
from overnight_models.ledger.submit import rejected as ledger
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.telemetry import logs

log = logs.get(__name__)


def divide_rejected() -> int:
    """Rejected batches become two smaller ones, down to the culprit (rejected creates are free). Returns how many."""
    divided = 0
    while True:
        paused_now = False
        with process.database().transaction() as connection:
            rejected = ledger.take_rejected(connection)
            if rejected is None:
                return divided
            if rejected.alike:
                # two generations of halves were turned down in the same words: it would go on to single items
                paused_now = lanes.pause(
                    connection, rejected.lane_id, f"everything is rejected alike: {said.listed(rejected.reason)}"
                )
            elif rejected.items > 1:
                ledger.divide(connection, rejected)
            else:
                ledger.give_up(connection, rejected)
                _fail_culprits(connection, rejected)
        if rejected.alike:
            if paused_now:
                log.error(
                    "lane held: its batches are rejected alike",
                    batch_id=rejected.batch_id,
                    why=said.listed(rejected.reason),
                )
            continue
        divided += 1
        log.warning("rejected", batch_id=rejected.batch_id, items=rejected.items, why=said.listed(rejected.reason))


def _fail_culprits(connection: Connection, rejected: ledger.RejectedBatch) -> None:
    why = said.opened(connection, f"batch:{rejected.batch_id}", rejected.reason)
    culprits = [
        Arrival(item_id, Fate.FAIL_OWN, problem=Problem.REJECTED, detail=why)
        for item_id in ledger.members(connection, rejected.batch_id)
    ]
    source = Source(submission_id=None, batch_id=rejected.batch_id, api_batch_id=None, only_live=True)
    recorded = outcomes.record(connection, source, culprits, max_attempts=1)
    log.warning("rejected alone: failed", batch_id=rejected.batch_id, items=recorded.failed)
