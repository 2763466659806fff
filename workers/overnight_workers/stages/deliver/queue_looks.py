"""Looks at products' queues, whether anything is due for them or not: one that nobody reads is seen within minutes."""

from __future__ import annotations

from collections import defaultdict

from overnight_models.ledger.deliver import unread_queues
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.deliver.unread_queues import QueueLook
from overnight_workers import process
from overnight_workers.stages.deliver import brokers
from overnight_workers.stages.deliver.brokers import BrokerUnavailable
from overnight_workers.telemetry import logs

log = logs.get(__name__)


def look() -> None:
    """Ask each broker, in one round trip, how much is in its queues and what is oldest there. Called once a minute."""
    by_broker: dict[str, list[Target]] = defaultdict(list)
    with process.database().transaction() as connection:
        for target in unread_queues.targets(connection):
            by_broker[target.broker].append(target)
    by_target: dict[int, QueueLook] = {}
    for name, targets in by_broker.items():
        try:
            looks = brokers.broker(name).look([target.queue for target in targets])
        except BrokerUnavailable as error:
            log.info("queues can't be looked at", broker=name, why=str(error))
            continue
        by_target |= {target.id: looks[target.queue] for target in targets if target.queue in looks}
    if by_target:
        with process.database().transaction() as connection:
            unread_queues.note(connection, by_target)
