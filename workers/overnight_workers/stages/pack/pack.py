"""Pack: waiting items of a lane become a batch when its size, byte or time threshold is reached."""

from __future__ import annotations

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.ledger.collect import caching
from overnight_models.ledger.pack import pack as ledger
from overnight_models.ledger.pack import priming
from overnight_models.ledger.pack.pack import Packed, Waiting
from overnight_models.ledger.pack.turns import NOBODY, StayBehind
from overnight_workers import logs, process
from overnight_workers.celery_app import app
from overnight_workers.settings import Lane, settings
from overnight_workers.stages import doorbell, pulse
from overnight_workers.stages.pack.cache_choices import is_worth_priming

log = logs.get(__name__)


@app.task(name=routes.PACK)
def pack(**_later: object) -> str:
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
        while (packed := _pack(source, lane)) != Packed():
            pulse.at_work(routes.PACK)
            if packed.held:
                log.warning("held: over budget", lane=source.lane, items=packed.held)
            if packed.items:
                batches, items = batches + 1, items + packed.items
                log.info("packed", lane=source.lane, items=packed.items)
                doorbell.ring(routes.SUBMIT)
    return f"{batches} batches, {items} items"


def _pack(source: Waiting, lane: Lane) -> Packed:
    """Make one batch, if one is due. In a transaction of its own: a batch is there whole or not at all."""
    with process.database().transaction() as connection:
        now = ledger.take_turn(connection, source)
        if now is None or not is_due(now, lane):
            return Packed()
        if lane.prime and lane.caching != "off":
            return _pack_primed(connection, now, lane)
        return _pack_all(connection, now, lane, stay=StayBehind(unmeasured=_counts_first(lane)))


def _pack_all(
    connection: Connection, source: Waiting, lane: Lane, *, stay: StayBehind = NOBODY, only: int | None = None
) -> Packed:
    return ledger.pack(
        connection,
        source,
        process.prices(),
        max_items=lane.max_items,
        max_bytes=lane.max_bytes,
        stay=stay,
        only=only,
    )


def _pack_primed(connection: Connection, source: Waiting, lane: Lane) -> Packed:
    """The first item of a prefix alone; else all but those whose prefix is being written for them."""
    measured = caching.hit_rates(connection, source.lane)
    stay = StayBehind(unmeasured=_counts_first(lane), being_written=priming.being_written(connection, source))
    for primer in priming.cold(connection, source, max_items=lane.max_items, stay=stay):
        if is_worth_priming(primer, measured):
            packed = _pack_all(connection, source, lane, only=primer.item_id)
            if not packed.items:
                break  # over its budget, as the others of its prefix are: all are held at once
            priming.note(connection, source, primer)
            return packed
    return _pack_all(connection, source, lane, stay=stay)


def _counts_first(lane: Lane) -> bool:
    """Whether an item that may be too long for this lane stays behind until somebody has counted it."""
    return lane.max_input_tokens is not None


def worth_a_look(lane: str, lane_id: int) -> bool:
    """Whether what was just accepted may have made a batch due.

    Most messages fill no batch, and to see that costs a tenth of a task. What has waited long enough is the sweep's,
    unless it comes too seldom for this lane.
    """
    rules = settings().lanes[lane]
    if rules.max_wait <= settings().timing.sweep_every:
        return True
    with process.database().transaction() as connection:
        waiting = ledger.amounts(connection, lane_id=lane_id)
    return any(_is_whole(*amount, rules) for amount in waiting)


def is_due(source: Waiting, lane: Lane) -> bool:
    """Whether a lane's thresholds call for a batch: there is enough for a whole one, or the oldest waited enough."""
    is_whole = _is_whole(source.items, source.bytes, lane)
    return source.items > 0 and (is_whole or source.oldest_age_s >= lane.max_wait)


def _is_whole(items: int, size: int, lane: Lane) -> bool:
    return items >= lane.max_items or size + items * ledger.FRAME_BYTES >= lane.max_bytes
