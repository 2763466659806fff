"""Retention: what lanes don't keep any longer is dropped, a little in each sweep."""

from __future__ import annotations

import time
from typing import Final

from overnight_models.ledger.database import DatabaseUnavailable
from overnight_models.ledger.retention import money, steps
from overnight_models.ledger.retention.keep import Keep, Keeps
from overnight_workers import process
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

_FOR_S: Final = 3.0
"""How long one sweep drops; the rest is for the next one. A step may take longer, where it has much to read."""
_SMALL_AT_ONCE: Final = 1000
_LAYERS: Final = ("deliveries", "bodies", "outcomes", "keys", "money")

log = logs.get(__name__)


def keeps() -> Keeps:
    """How long each lane's things are kept, by its number; without lanes that keep everything."""
    named = {
        name: Keep(**{layer: getattr(lane, f"keep_{layer}") for layer in _LAYERS})
        for name, lane in settings().lanes.items()
    }
    return {process.names().lane(name): keep for name, keep in named.items() if keep != Keep()}


def retain() -> None:
    """Drop what is old enough, step by step. Where somebody reads what is to go, it waits until the next sweep."""
    kept = keeps()
    if not kept:
        return
    until = time.monotonic() + _FOR_S
    try:
        while time.monotonic() < until:
            with process.database().transaction() as connection:
                done = steps.step(connection, kept)
            if done is None:
                break
            log.info("retention", done=done)
        with process.database().transaction() as connection:
            gone = money.forget_money(connection, kept, limit=_SMALL_AT_ONCE)
    except DatabaseUnavailable as error:
        log.info("retention waits", why=str(error))
        return
    if gone:
        log.info("retention", done=f"{gone:,} old sums, plans and batches are dropped")
