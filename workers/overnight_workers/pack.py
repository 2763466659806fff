"""Pack: waiting items of a lane become a batch when its size, byte or time threshold is reached."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.caching import primed_from
from overnight_models.ledger import pack as ledger
from overnight_models.ledger import priming
from overnight_models.ledger.measure import UNMEASURED
from overnight_models.ledger.pack import Packed, Waiting
from overnight_models.ledger.priming import Cold
from overnight_models.prefix import FEWEST_BYTES_PER_TOKEN
from overnight_models.prices import Prices
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
        while (packed := _pack(source, lane)) != Packed():
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
        return _pack_primed(connection, now, lane) if lane.prime else _pack_all(connection, now, lane)


def _pack_all(connection: Connection, source: Waiting, lane: Lane, *, unless: str = "false") -> Packed:
    prices = process.prices()
    if lane.max_input_tokens is not None:
        unless = f"({unless}) OR {UNMEASURED}"
    return ledger.pack(connection, source, prices, max_items=lane.max_items, max_bytes=lane.max_bytes, unless=unless)


def _pack_primed(connection: Connection, source: Waiting, lane: Lane) -> Packed:
    """The first item of a prefix alone; else all but those whose prefix is being written for them."""
    for one in priming.cold(connection, source):
        if is_worth_priming(one, process.prices()):
            packed = _pack_all(connection, source, lane, unless=f"id <> {one.item_id}")
            if not packed.items:
                break  # over its budget, as the others of its prefix are: all are held at once
            priming.note(connection, source, one)
            return packed
    return _pack_all(connection, source, lane, unless=priming.HELD_BACK)


def is_worth_priming(one: Cold, prices: Prices) -> bool:
    """Whether so many read what one writes that it pays, if the model caches so few tokens at all."""
    model = prices.model(one.model)
    if model is None or one.prefix_bytes // FEWEST_BYTES_PER_TOKEN < model.min_cacheable_tokens:
        return False
    enough = primed_from(model.rates, "1h")
    return enough is not None and one.requests >= enough


def is_due(source: Waiting, lane: Lane) -> bool:
    """Whether a lane's thresholds call for a batch: there is enough for a whole one, or the oldest waited enough."""
    framed = source.bytes + source.items * ledger.FRAME_BYTES
    is_whole = source.items >= lane.max_items or framed >= lane.max_bytes
    return source.items > 0 and (is_whole or source.oldest_age_s >= lane.max_wait)
