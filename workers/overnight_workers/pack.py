"""Pack: waiting items of a lane become a batch when its size, byte or time threshold is reached."""

from __future__ import annotations

from typing import Any

from overnight_models import routes
from overnight_models.ledger import pack as ledger
from overnight_models.ledger.pack import Waiting
from overnight_workers import doorbell, logs, process
from overnight_workers.app import app
from overnight_workers.settings import Lane, settings

log = logs.get(__name__)


@app.task(name=routes.PACK)
def pack(**_later: Any) -> str:
    """Pack everything that is due. Running it twice at once packs nothing twice."""
    doorbell.heard(routes.PACK)
    batches, items = 0, 0
    with process.database().transaction() as connection:
        waiting = ledger.waiting(connection)
    for source in waiting:
        lane = settings().lanes.get(source.lane)
        if lane is None:
            log.error("items wait in a lane that the configuration doesn't have", lane=source.lane, items=source.items)
            continue
        for _ in range(batches_due(source, lane)):
            # a transaction each: a batch is there whole or not at all
            with process.database().transaction() as connection:
                packed = ledger.pack(connection, source, max_items=lane.max_items, max_bytes=lane.max_bytes)
            if not packed:
                break
            batches, items = batches + 1, items + packed
            log.info("packed", lane=source.lane, items=packed)
            doorbell.ring(routes.SUBMIT)
    return f"{batches} batches, {items} items"


def batches_due(source: Waiting, lane: Lane) -> int:
    """How many batches a lane's thresholds call for now: whole ones, and the rest when its oldest waited enough."""
    framed = source.bytes + source.items * ledger.FRAME_BYTES
    whole = max(source.items // lane.max_items, framed // lane.max_bytes)
    late = source.oldest_age_s >= lane.max_wait
    return whole + 1 if late and source.items else whole
