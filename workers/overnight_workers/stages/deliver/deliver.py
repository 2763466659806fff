"""Deliver: due outcomes go to their callbacks, no faster than the product takes them, until they are taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.ledger import hand_overs
from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver import obstacles, pace
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.targets import Target
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell, pulse, target_pacing
from overnight_workers.stages.deliver import brokers
from overnight_workers.stages.deliver.brokers import Broker, BrokerUnavailable, Handed, QueueRefused
from overnight_workers.stages.deliver.room import Room
from overnight_workers.telemetry import counted, logs, tracing

_AT_ONCE: Final = 2000
_BYTES_AT_ONCE: Final = 32_000_000
"""Of messages, so that this process stays small whatever the answers' lengths."""
_SCARCE_GROUPS: Final = 10
"""With room for fewer groups than that, what other deliverers are sending is looked at too."""
LEASE_S: Final = 60.0
"""Longer than a broker's timeouts for so many messages; a killed deliverer's are due again after it."""

log = logs.get(__name__)


@app.task(name=routes.DELIVER)
def deliver(**_later: object) -> str:
    """Hand over what is due, queue by queue, for a while. A broker that is down stalls no other."""
    doorbell.heard(routes.DELIVER)
    stop_at = time.monotonic() + 240
    delivered = 0
    with process.database().transaction() as connection:
        targets = [target for target in ledger.targets(connection) if target_pacing.is_open(target)]
        webhooks_are_due = ledger.webhooks_are_due(connection)
    if webhooks_are_due:
        doorbell.ring(routes.WEBHOOKS)
    while targets and time.monotonic() < stop_at:
        pulse.at_work(routes.DELIVER)
        still_due = []
        away = set()
        for target in targets:
            # asked each time: its hours may end while others are served
            if target.broker in away or not target_pacing.is_open(target):
                continue
            handed_over = 0
            try:
                with pulse.alone(routes.DELIVER, f"queue {target.queue}"):
                    handed_over = _deliver(target)
            except BrokerUnavailable:
                away.add(target.broker)
                continue
            delivered += handed_over
            if handed_over and _may_take_more(target, handed_over):
                still_due.append(replace(target, obstructed=False))
        targets = [target for target in still_due if target.broker not in away]
    return f"{delivered} delivered"


def _may_take_more(target: Target, handed_over: int) -> bool:
    """Whether it is looked at again in this run: one that takes so many a second has had them, until the next sweep."""
    return handed_over >= _AT_ONCE or target_pacing.of_target(target).max_per_second is None


def _deliver(target: Target) -> int:
    """Hand over some of what is due in one queue. Returns how many; 0 when there is nothing, or no room.

    Raises BrokerUnavailable, which is noted then.
    """
    try:
        broker = brokers.broker(target.broker)
        room = broker.room(target.queue)
    except BrokerUnavailable as error:
        with process.database().transaction() as connection:
            _away(connection, target, str(error))
        raise
    except QueueRefused as error:
        _refuse(target, str(error))
        return 0
    if room.is_full:
        with process.database().transaction() as connection:
            _full(connection, target, room.why)
        return 0
    max_bytes = min(_BYTES_AT_ONCE, room.bytes)
    with process.database().transaction() as connection:
        keyless: dict[str, str] = {}
        due = _claim(connection, target, keyless, limit=min(_AT_ONCE, room.messages), max_bytes=max_bytes)
    pulse.lanes_went(routes.DELIVER, {delivery.lane for delivery in due}, keyless)
    if not due:
        return 0
    # after the commit of the claim: if this process dies now, they are due again
    handed = _handed_over(broker, target, due, room)
    with process.database().transaction() as connection:
        _record(connection, target, handed)
    if handed.away is not None:
        raise BrokerUnavailable(handed.away)
    return len(handed.taken)


def _claim(
    connection: Connection, target: Target, keyless: dict[str, str], *, limit: int, max_bytes: float
) -> list[Due]:
    """Take no more than there is room for, and than its rate lets through."""
    rate = target_pacing.pace_of(target_pacing.of_target(target))
    if rate is not None:
        limit = min(limit, pace.allowance(connection, target.id, rate))
    if limit <= 0:
        return []
    due = ledger.claim(connection, target, limit=limit, max_bytes=max_bytes, lease_s=LEASE_S, keyless=keyless)
    if rate is not None and due:
        pace.spend(connection, target.id, rate, len(due))
    return due


def hand_over(target: Target, due: list[Due]) -> int:
    """Hand over what this process has just recorded and claimed. Returns how many were taken; the rest is due."""
    try:
        broker = brokers.broker(target.broker)
        room = broker.room(target.queue)
    except BrokerUnavailable as error:
        handed = Handed(left=due, away=str(error))
    except QueueRefused as error:
        handed = Handed(refused={str(error): due})
    else:
        handed = Handed(left=due, full=room.why) if room.is_full else _handed_over(broker, target, due, room)
    with process.database().quick() as connection:
        _record(connection, target, handed)
    return len(handed.taken)


def _handed_over(broker: Broker, target: Target, due: list[Due], room: Room) -> Handed:
    """The same as `_hand_over`, whatever goes wrong: then they are tried again later, each try counted."""
    with pulse.alone(routes.DELIVER, f"queue {target.queue}") as tried:
        return _hand_over(broker, target, due, room)
    assert tried.error is not None
    return Handed(refused={f"failed here: {pulse.said(tried.error)}": due})


def _hand_over(broker: Broker, target: Target, due: list[Due], room: Room) -> Handed:
    """Put them into the queue; never more than there is room for, however many deliverers there are."""
    if room.messages < _SCARCE_GROUPS * _AT_ONCE or room.bytes < _SCARCE_GROUPS * _BYTES_AT_ONCE:
        with process.database().transaction() as connection:
            messages, size = ledger.sent_by_others(connection, target, mine=[delivery.item_id for delivery in due])
        try:
            room = broker.room(target.queue)
        except BrokerUnavailable as error:
            return Handed(left=due, away=str(error))
        except QueueRefused as error:
            return Handed(refused={str(error): due})
        room.messages -= messages
        room.bytes -= size
    with tracing.delivery(target.queue, (delivery.outcome.traceparent for delivery in due)) as became:
        handed = broker.publish(target.queue, due, room)
        became["overnight.delivered"] = len(handed.taken)
        if handed.away is not None or handed.refused:
            became["error.type"] = "refused" if handed.refused else "away"
    return handed


def _record(connection: Connection, target: Target, handed: Handed) -> None:
    """What became of a group; in the ordinary case all of it was taken."""
    _taken(connection, _with_rows(connection, handed))
    counted.items(routes.DELIVER, len(handed.taken))
    if handed.taken and target.obstructed:
        obstacles.overcome(connection, target.broker, target.queue)
    for why, refused in handed.refused.items():
        log.warning("deliveries refused", broker=target.broker, queue=target.queue, items=len(refused), why=why)
        _retry_or_dead_letter(connection, refused, why)
    if handed.unsure:
        _retry_or_dead_letter(connection, handed.unsure, str(handed.away))
    if handed.left:
        ledger.release(connection, handed.left)
    if handed.away is not None:
        _away(connection, target, handed.away)
    elif handed.full is not None:
        _full(connection, target, handed.full)


def _with_rows(connection: Connection, handed: Handed) -> list[Due]:
    """What was taken and has rows. A hand-over of which all was taken ends; of any other each delivery gets its row."""
    left = [*handed.unsure, *handed.left, *chain.from_iterable(handed.refused.values())]
    numbers = {delivery.hand_over for delivery in (*handed.taken, *left) if delivery.hand_over is not None}
    if not numbers:
        return handed.taken
    if left:
        hand_overs.give_rows(connection, numbers)
        return handed.taken
    # one that was taken for dead has rows by now
    ended = hand_overs.end(connection, numbers)
    return [delivery for delivery in handed.taken if delivery.hand_over not in ended]


def _away(connection: Connection, target: Target, why: str) -> None:
    log.warning("broker unavailable: deliveries wait", broker=target.broker, queue=target.queue, why=why)
    obstacles.away(connection, target.broker, why)


def _full(connection: Connection, target: Target, why: str) -> None:
    if obstacles.full(connection, target.broker, target.queue, why):
        log.info("no room: deliveries wait", broker=target.broker, queue=target.queue, why=why)


def _taken(connection: Connection, due: list[Due]) -> None:
    """The broker took them: that is all, or their callbacks have to answer within their lane's time."""
    by_patience: dict[float, list[int]] = {}
    for delivery in due:
        if delivery.wants_ack:
            by_patience.setdefault(settings().lane(delivery.lane).ack_within, []).append(delivery.item_id)
    for within_s, item_ids in by_patience.items():
        ledger.taken_to_be_acknowledged(connection, item_ids, within_s=within_s)
    simple = [delivery.item_id for delivery in due if not delivery.wants_ack]
    if simple:
        ledger.taken(connection, simple)


def _refuse(target: Target, why: str) -> None:
    """Its broker answers and won't have this queue: what is for it counts a try, and is dead one day, visibly."""
    log.warning("queue refused", broker=target.broker, queue=target.queue, why=why)
    with process.database().transaction() as connection:
        due = ledger.claim(connection, target, limit=_AT_ONCE, max_bytes=_BYTES_AT_ONCE, lease_s=LEASE_S)
        _retry_or_dead_letter(connection, due, why)


def _retry_or_dead_letter(connection: Connection, due: Sequence[Due], why: str) -> None:
    """By tries: due again after a pause that grows, or dead."""
    by_pause: dict[float | None, list[int]] = {}
    for delivery in due:
        max_deliveries = settings().lane(delivery.lane).max_deliveries
        pause_s = None if delivery.tries >= max_deliveries else min(2.0 ** min(delivery.tries, 10), 600.0)
        by_pause.setdefault(pause_s, []).append(delivery.item_id)
    for pause_s, item_ids in by_pause.items():
        if pause_s is None:
            ledger.dead_letter(connection, item_ids, why)
            log.error("deliveries are dead", items=len(item_ids), why=why)
        else:
            ledger.schedule_retry(connection, item_ids, why, pause_s=pause_s)
