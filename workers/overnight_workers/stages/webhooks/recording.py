"""What became of groups is written to the ledger, and more of them are claimed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.ledger.deliver import deliver as ledger
from overnight_models.ledger.deliver import obstacles, senders, webhook_groups
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.pace import Pace
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.deliver.webhook_groups import GroupRules
from overnight_workers import process
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.settings import settings
from overnight_workers.stages import pulse
from overnight_workers.stages.target_pacing import pace_of
from overnight_workers.stages.webhooks import bodies, retries
from overnight_workers.stages.webhooks.bodies import Body
from overnight_workers.stages.webhooks.verdicts import Verdict
from overnight_workers.telemetry import counted, logs

_SLACK_S = 60.0
"""Longer than a group waits here for its turn."""
_SPLIT_FROM = 2
"""From this try on, a group that fails is halved: one delivery that an endpoint can't take ends up alone."""

log = logs.get(__name__)


class Answered(NamedTuple):
    """One request that is over."""

    body: Body
    verdict: Verdict


def begin(target: Target, sender: UUID) -> bool:
    """Become the run that sends to it. False: another one does."""
    with process.database().transaction() as connection:
        return senders.begin(connection, target.id, sender)


def go_on(targets: Collection[Target], sender: UUID) -> set[int]:
    """Go on sending to them. Returns the targets that are this run's still."""
    with process.database().transaction() as connection:
        return senders.go_on(connection, [target.id for target in targets], sender)


def end(target: Target, sender: UUID) -> None:
    """Nothing more is sent to it by this run."""
    with process.database().transaction() as connection:
        senders.end(connection, target.id, sender)


def claim(target: Target, webhook: Webhook, groups: int) -> list[Body]:
    """Take so many groups at most, and write their bodies."""
    rules = GroupRules(webhook.group.items, webhook.group.within, bodies.MOST_BYTES, bodies.BY_REFERENCE)
    rate: Pace | None = pace_of(webhook, at_once=webhook.group.items)
    lease_s = webhook.connect_timeout + webhook.timeout + _SLACK_S
    keyless: dict[str, str] = {}
    with process.database().transaction() as connection:
        claimed = webhook_groups.claim(
            connection, target, rules, groups=groups, rate=rate, lease_s=lease_s, keyless=keyless
        )
    pulse.lanes_went(routes.WEBHOOKS, {due.lane for group in claimed for due in group}, keyless)
    # after the commit of the claim: if this process dies now, they are due again
    written = [bodies.write(group) for group in claimed]
    unwritable = [refused for body in written for refused in body.unwritable]
    if unwritable:
        with process.database().transaction() as connection:
            for due, why in unwritable:
                _retry_or_dead_letter(connection, webhook, [due], why)
    return [body for body in written if body.due]


def record(target: Target, webhook: Webhook, answered: Sequence[Answered]) -> int:
    """Write down what became of them. Returns how many deliveries were taken."""
    with process.database().transaction() as connection:
        taken = [
            body.due[delivery_id].item_id for body, verdict in answered for delivery_id in sorted(verdict.delivered)
        ]
        if taken:
            ledger.taken(connection, taken)
        for body, verdict in answered:
            _record_failures(connection, target, webhook, body, verdict)
    counted.items(routes.WEBHOOKS, len(taken))
    return len(taken)


def give_back(waiting: Sequence[Body]) -> None:
    """They were not sent after all."""
    if waiting:
        with process.database().transaction() as connection:
            ledger.release(connection, [due for body in waiting for due in body.due.values()])


def overcome(target: Target) -> None:
    """It takes webhooks again."""
    with process.database().transaction() as connection:
        obstacles.overcome(connection, target.broker, target.queue)


def away(target: Target, why: str, pause_s: float | None = None) -> None:
    """It is in nobody's way to be tried for a while."""
    log.warning("webhook unavailable: deliveries wait", webhook=target.queue, why=why)
    with process.database().transaction() as connection:
        if pause_s is None:
            obstacles.away(connection, target.broker, why)
        else:
            obstacles.pause(connection, target.broker, why, pause_s=pause_s)


def _record_failures(connection: Connection, target: Target, webhook: Webhook, body: Body, verdict: Verdict) -> None:
    if verdict.untried:
        ledger.release(
            connection, [body.due[delivery_id] for delivery_id in body.due if delivery_id in verdict.untried]
        )
    if not verdict.failed:
        return
    # the endpoint's own words may quote an answer: they are in the delivery's error, and in no log
    log.warning("webhook refused", webhook=target.queue, items=len(verdict.failed), why=verdict.why or "by its answer")
    for why in dict.fromkeys(verdict.failed.values()):
        failed = [body.due[delivery_id] for delivery_id in body.due if verdict.failed.get(delivery_id) == why]
        half = len(failed)
        if not verdict.is_well and failed[0].tries >= _SPLIT_FROM:
            half = -(-half // 2)
        for part in (failed[:half], failed[half:]):
            _retry_or_dead_letter(connection, webhook, part, f"webhook {target.queue!r}: {why}")


def _retry_or_dead_letter(connection: Connection, webhook: Webhook, due: Sequence[Due], why: str) -> None:
    """Due again after a pause, together; or dead."""
    by_end: dict[bool, list[Due]] = {}
    for delivery in due:
        is_over = retries.pause_s(delivery.tries, _deliver_for_s(webhook, delivery)) is None
        by_end.setdefault(is_over, []).append(delivery)
    for is_over, together in by_end.items():
        item_ids = [delivery.item_id for delivery in together]
        if is_over:
            ledger.dead_letter(connection, item_ids, why)
            log.error("deliveries are dead", items=len(item_ids), why="a webhook was refused for too long")
        else:
            longest_s = min(_deliver_for_s(webhook, delivery) for delivery in together)
            pause_s = retries.pause_s(max(delivery.tries for delivery in together), longest_s)
            ledger.schedule_retry(connection, item_ids, why, pause_s=pause_s or 0.0)


def _deliver_for_s(webhook: Webhook, due: Due) -> float:
    return webhook.deliver_for if webhook.deliver_for is not None else settings().lane(due.lane).deliver_for
