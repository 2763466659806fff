"""Deliver: due outcomes go to their callbacks, no faster than the product takes them, until they are taken."""

from __future__ import annotations

import time
from typing import Any, Final

from overnight_models import routes
from overnight_models.ledger import deliver as ledger
from overnight_models.ledger.deliver import Due, Target
from overnight_workers import callbacks, doorbell, logs, process
from overnight_workers.app import app
from overnight_workers.settings import settings

_AT_ONCE: Final = 2000
_OWN_BROKER_MAX_QUEUE: Final = 100_000
_LEASE_S: Final = 60.0
"""Longer than a broker's timeouts for so many messages; a killed deliverer's are due again after it."""

log = logs.get(__name__)


@app.task(name=routes.DELIVER)
def deliver(**_later: Any) -> str:
    """Hand over what is due, queue by queue, for a while. A broker that is down stalls no other."""
    doorbell.heard(routes.DELIVER)
    stop_at = time.monotonic() + 240
    delivered = 0
    with process.database().transaction() as connection:
        targets = ledger.targets(connection)
    while targets and time.monotonic() < stop_at:
        still_due = []
        for target in targets:
            handed_over = _deliver(target)
            delivered += handed_over
            if handed_over:
                still_due.append(target)
        targets = still_due
    return f"{delivered} delivered"


def _deliver(target: Target) -> int:
    """Hand over some of what is due in one queue. Returns how many; 0 when there is nothing, or no room."""
    try:
        room = _max_queue(target) - callbacks.broker(target.broker).queue_length(target.queue)
    except (callbacks.BrokerUnavailable, KeyError) as error:
        log.warning("broker unavailable", broker=target.broker, queue=target.queue, error=str(error))
        _put_off(target, str(error))
        return 0
    if room <= 0:
        log.info("the product's queue is full: deliveries wait", broker=target.broker, queue=target.queue)
        return 0
    with process.database().transaction() as connection:
        due = ledger.claim(connection, target, limit=min(_AT_ONCE, room), lease_s=_LEASE_S)
    if not due:
        return 0
    try:
        # after the commit of the claim: if this process dies now, they are due again
        callbacks.broker(target.broker).publish(target.queue, due)
    except callbacks.BrokerUnavailable as error:
        log.warning("deliveries didn't get through", broker=target.broker, queue=target.queue, error=str(error))
        _put_back(due, str(error))
        return 0
    with process.database().transaction() as connection:
        ledger.taken(connection, [one.item_id for one in due])
    return len(due)


def _max_queue(target: Target) -> int:
    return settings().brokers[target.broker].max_queue if target.broker else _OWN_BROKER_MAX_QUEUE


def _put_off(target: Target, why: str) -> None:
    """The broker is away: everything for it counts a try, and is dead one day, visibly."""
    with process.database().transaction() as connection:
        due = ledger.claim(connection, target, limit=_AT_ONCE, lease_s=_LEASE_S)
    _put_back(due, why)


def _put_back(due: list[Due], why: str) -> None:
    """By tries: due again after a pause that grows, or dead."""
    by_pause: dict[float | None, list[int]] = {}
    for one in due:
        lane = settings().lanes.get(one.lane)
        most = lane.max_deliveries if lane else 1
        pause_s = None if one.tries >= most else min(2.0 ** min(one.tries, 10), 600.0)
        by_pause.setdefault(pause_s, []).append(one.item_id)
    with process.database().transaction() as connection:
        for pause_s, item_ids in by_pause.items():
            if pause_s is None:
                ledger.bury(connection, item_ids, why)
                log.error("deliveries are dead", items=len(item_ids), why=why)
            else:
                ledger.put_back(connection, item_ids, why, pause_s=pause_s)
