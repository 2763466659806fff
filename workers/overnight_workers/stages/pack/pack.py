"""Pack: waiting items of a lane become a batch at its size, byte or time threshold, or when a deadline needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.ledger.collect import caching
from overnight_models.ledger.pack import pack as ledger
from overnight_models.ledger.pack import priming
from overnight_models.ledger.pack.pack import Packed, Waiting
from overnight_models.ledger.pack.turns import NOBODY, StayBehind
from overnight_models.ledger.roads.waiting import earliest
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.roads import memory
from overnight_workers.settings import Lane, settings
from overnight_workers.stages import doorbell, pulse
from overnight_workers.stages.pack.cache_choices import is_worth_priming
from overnight_workers.telemetry import counted, logs

_LEAD_SWEEPS: Final = 5
"""So many sweeps before it would be too late, a batch is packed for a deadline."""

log = logs.get(__name__)


@app.task(name=routes.PACK)
def pack(**_later: object) -> str:
    """Pack everything that is due. Running it twice at once packs nothing twice."""
    doorbell.heard(routes.PACK)
    batches, items = 0, 0
    with process.database().transaction() as connection:
        waiting = ledger.waiting(connection)
        deadlines = earliest(connection, [name for name, lane in settings().lanes.items() if lane.road != "direct"])
    within = {(deadline.lane_id, deadline.headers_id): deadline.within_s for deadline in deadlines}
    for source in waiting:
        lane = settings().lanes.get(source.lane)
        if lane is None:
            log.error("items wait in a lane that the configuration doesn't have", lane=source.lane, items=source.items)
            continue
        filling = _Filling(lane, within.get((source.lane_id, source.headers_id)))
        with pulse.alone(routes.PACK, f"lane {source.lane}", again_in_s=settings().timing.sweep_every):
            for packed in _pack_all_due(source, filling):
                batches, items = batches + 1, items + packed
    return f"{batches} batches, {items} items"


def _pack_all_due(source: Waiting, filling: _Filling) -> Iterator[int]:
    """Pack what is due of a lane; the items of each batch."""
    while (packed := _pack(source, filling)) != Packed():
        pulse.at_work(routes.PACK)
        if packed.held:
            log.warning("held: over budget", lane=source.lane, items=packed.held)
        if packed.items:
            counted.items(routes.PACK, packed.items)
            log.info("packed", lane=source.lane, items=packed.items)
            doorbell.ring(routes.SUBMIT)
            yield packed.items


@dataclass
class _Filling:
    """What one look at a lane and a set of headers makes of what waits there."""

    lane: Lane
    within_s: float | None
    """Until the earliest deadline of what waits; None where nothing has one."""
    size: int = 0
    """Items of each batch; 0 until one is due."""
    more: int = 0
    """Batches that are due beside this one, since what waited is divided."""

    def is_due(self, source: Waiting) -> bool:
        """Whether one more batch is due; if it is the first, what waits is divided."""
        if self.more:
            self.more -= 1
            return True
        if not is_due(source, self.lane, self.within_s):
            return False
        self.size = size_of_batches(source.items, self.lane, self.within_s)
        self.more = (
            max(-(-source.items // self.size) - 1, 0) if self.size < min(source.items, self.lane.max_items) else 0
        )
        return True


def _pack(source: Waiting, filling: _Filling) -> Packed:
    """Make one batch, if one is due. In a transaction of its own: a batch is there whole or not at all."""
    lane = filling.lane
    with process.database().transaction() as connection:
        now = ledger.take_turn(connection, source)
        if now is None or not filling.is_due(now):
            return Packed()
        if lane.prime and lane.caching != "off":
            return _pack_primed(connection, now, filling)
        return _pack_all(connection, now, filling, stay=StayBehind(unmeasured=lane.counts_first))


def _pack_all(
    connection: Connection, source: Waiting, filling: _Filling, *, stay: StayBehind = NOBODY, only: int | None = None
) -> Packed:
    return ledger.pack(
        connection,
        source,
        process.prices(),
        max_items=filling.size,
        max_bytes=filling.lane.max_bytes,
        stay=stay,
        only=only,
        chain_cap_nano=filling.lane.max_cost_per_trace,
    )


def _pack_primed(connection: Connection, source: Waiting, filling: _Filling) -> Packed:
    """The first item of a prefix alone; else all but those whose prefix is being written for them."""
    lane = filling.lane
    measured = caching.hit_rates(connection, source.lane)
    stay = StayBehind(unmeasured=lane.counts_first, being_written=priming.being_written(connection, source))
    for primer in priming.cold(connection, source, max_items=filling.size, stay=stay):
        if is_worth_priming(primer, measured):
            packed = _pack_all(connection, source, filling, only=primer.item_id)
            if not packed.items:
                break  # over its budget, as the others of its prefix are: all are held at once
            priming.note(connection, source, primer)
            return packed
    return _pack_all(connection, source, filling, stay=stay)


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


def is_due(source: Waiting, lane: Lane, within_s: float | None = None) -> bool:
    """Whether a batch is due: there is enough for a whole one, the oldest waited enough, or a deadline needs it now.

    A deadline doesn't wait for the lane's hours, nor for a batch that is worth it; neither does a lane that is drained.
    within_s: until the earliest deadline of what waits; None where nothing has one.
    """
    if source.items <= 0:
        return False
    if source.drains:
        return True
    if within_s is not None and within_s <= _needs_s(source.items, lane) + _LEAD_SWEEPS * settings().timing.sweep_every:
        return True
    if lane.submit_window is not None and lane.submit_window.opens_in_s(datetime.now(UTC)) > 0:
        return False
    waited_enough = source.oldest_age_s >= lane.max_wait and source.items >= lane.min_items
    return waited_enough or _is_whole(source.items, source.bytes, lane)


def _needs_s(items: int, lane: Lane) -> float:
    """How long before a deadline so many items are packed at the latest."""
    items = min(items, lane.max_items)
    return memory.pace(lane, items).needs_s(items)


def size_of_batches(items: int, lane: Lane, within_s: float | None = None) -> int:
    """Into batches of how many items so many that wait are divided.

    As the lane says (`target_batches`), and smaller where one batch wouldn't be in time for the earliest deadline.
    """
    size = min(items, lane.max_items)
    if within_s is not None:
        size = memory.pace(lane, size).size_for(size, within_s)
    if lane.target_batches is not None:
        size = min(size, max(-(-items // lane.target_batches), lane.min_items))
    return max(size, 1)


def _is_whole(items: int, size: int, lane: Lane) -> bool:
    return items >= lane.max_items or size + items * ledger.FRAME_BYTES >= lane.max_bytes
