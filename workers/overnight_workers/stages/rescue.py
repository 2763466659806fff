"""Rescue: on the beat. Brings strays home, rings for whatever has work, and keeps the books short.

Everything that was rung for and not heard, or begun and not ended, is found here: a lost message costs one sweep.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError
from overnight_models.ledger import counters, following, measure, partitions, prefixes, recall, release, rescue
from overnight_models.ledger.bodies import damaged
from overnight_models.ledger.collect import caching
from overnight_models.ledger.deliver import deliver, obstacles
from overnight_models.ledger.money import budgets, costs, plans, settle
from overnight_models.ledger.operators import actions, failures, lanes, later_versions, unfinished
from overnight_models.ledger.operators import pulse as ledger_pulse
from overnight_models.ledger.operators.purge import steps
from overnight_models.ledger.roads import kept
from overnight_models.ledger.submit import facts
from overnight_workers import process
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.configuration.showing import options
from overnight_workers.held import held
from overnight_workers.settings import Lane, settings
from overnight_workers.stages import api_deletions, chains, doorbell, pulse, purging, retain
from overnight_workers.stages.deliver import acknowledge, queue_looks
from overnight_workers.stages.direct import abandoned
from overnight_workers.stages.poll import restored
from overnight_workers.stages.routing import looking
from overnight_workers.stages.webhooks.retries import most_tries_of_webhooks, patience_of_webhooks
from overnight_workers.telemetry import logs

WOKEN_BY_PRODUCTS: Final = (routes.ACCEPT, routes.ANSWER)
_NEW: Final = Lane()
"""What lanes that the configuration has lost keep to, as in `Settings.lane`."""
_HOUSEKEEPING_EVERY_S: Final = 60.0
_FREED_AT_ONCE: Final = 2000
_STANDS_STILL_S: Final = 5.0
"""An action that nobody took a step of for so long is the sweep's."""
_UPGRADE_S: Final = 3600.0
"""Within that time workers of the version before are replaced."""
_ACTIONS_FOR_S: Final = 5.0
"""How long one sweep goes on with actions; the rest is for the next one."""
_GROUPS: Final = 50
"""The rest is for the next sweep."""

log = logs.get(__name__)


@app.task(name=routes.RESCUE, send_events=False)  # ticks would hide the work in Flower
def sweep(**_later: object) -> str:
    """One sweep. Several at once do no harm. A part of it that fails keeps no other from being done."""
    restored.notice()
    _alone(_bring_home)
    _alone(_release_held)
    stages = _ring()
    _alone(_end_drains)
    _alone(_go_on)
    # what was acknowledged in time but not read yet is not sent again
    _alone(acknowledge.drain)
    _alone(abandoned.bring_home)
    _alone(_free_deliveries)
    _alone(looking.look)
    _alone(publish_policy)
    _keep_house()
    return f"rang {', '.join(stages)}" if stages else "nothing to ring for"


def _alone(part: Callable[[], object]) -> None:
    """Do a part of the sweep. One that fails is said, and tried again by the next sweep."""
    name = part.__name__.strip("_").replace("_", " ")
    with pulse.alone(routes.RESCUE, name, again_in_s=settings().timing.sweep_every):
        part()


def _bring_home() -> None:
    """What a process held that died goes back one move."""
    with process.database().transaction() as connection:
        voided = rescue.void_abandoned(connection)
        doubted = rescue.doubt_abandoned(connection)
        for submission_id in rescue.noted_but_not_open(connection):
            if not facts.open_submission(connection, submission_id):
                log.error("paid twice: its batch went on without it", submission_id=submission_id)
    for batch in voided.unfinished:
        pulse.begun_again(routes.SUBMIT, f"batch {batch.batch_id}", batch.times, batch.last_error)
    if voided.submissions or doubted:
        log.warning(
            "brought home",
            submissions_void=voided.submissions,
            batches_open_again=voided.open_again,
            submissions_unclear=doubted,
        )


def _release_held() -> None:
    """Items that a budget has room for again go on, and those whose requests can be read again."""
    with process.database().transaction() as connection:
        if not release.is_anything_held(connection):
            return
        readable = release.release(connection)
        released = budgets.release_held(connection, process.policy().models)
        spent = chains.end_spent(connection)
    if readable:
        log.info("requests can be read again", items=readable)
    if released:
        log.info("budgets have room again", items=released)
    if spent:
        log.warning("over what their traces may cost", items=spent)


def _end_drains() -> None:
    """Lanes that are empty now are paused."""
    with process.database().transaction() as connection:
        drained = lanes.end_drains(connection)
    for lane in drained:
        log.info("drained", lane=lane)


def _go_on() -> None:
    """Actions of people whose process went away, or who wait in Flower, go on group by group."""
    with process.database().transaction() as connection:
        unfinished = actions.standing_still(connection, for_s=_STANDS_STILL_S)
        untidy = steps.untidy(connection, for_s=_STANDS_STILL_S)
    until, again_in_s = time.monotonic() + _ACTIONS_FOR_S, settings().timing.sweep_every
    for action_id in unfinished:
        # one that fails keeps no other from its turn
        alone = pulse.alone(routes.RESCUE, f"action {action_id}", again_in_s=again_in_s)
        with _passing_over_redis(action_id), alone:
            _go_on_with(action_id, until)
    for action_id in untidy:
        with _passing_over_redis(action_id):
            purging.tidy(action_id)


@contextmanager
def _passing_over_redis(action_id: int) -> Iterator[None]:
    """A purge that waits for Redis keeps no other action waiting, and no other part of the sweep."""
    try:
        yield
    except purging.RedisAway as error:
        log.warning("a purge waits for Redis", action_id=action_id, error=str(error))


def _go_on_with(action_id: int, until: float) -> None:
    """Take steps of an action until it is over. until: by the monotonic clock, when the rest is for the next sweep."""
    if time.monotonic() >= until or _is_left_to_a_later_version(action_id):
        return
    purging.prepare(action_id)
    while time.monotonic() < until:
        with process.database().transaction() as connection:
            step = actions.step(connection, action_id)
        if step is None or step.is_over:
            purging.tidy(action_id)
            return


def _is_left_to_a_later_version(action_id: int) -> bool:
    """While workers of two versions run, an action that only the later one knows is the later one's.

    Raises PermanentError when none of it has come for long.
    """
    with process.database().transaction() as connection:
        later = later_versions.of_later_version(connection, action_id)
    if later is None:
        return False
    why = f"{later.said} isn't known to this version: a later one began it"
    if later.stood_s > _UPGRADE_S:
        raise PermanentError(f"{why}, and no worker of that version has gone on: update the workers of {routes.RESCUE}")
    log.info("an action is left to a worker of a later version", action_id=action_id, why=why)
    return True


def _ring() -> list[str]:
    """Ring for what has work, and say that there is a sweep. Returns the stages that were rung for."""
    waited_for = _queues_with_messages()
    with process.database().transaction() as connection:
        stages = rescue.stages_with_work(connection)
        ledger_pulse.note_run(connection, routes.RESCUE)
        ledger_pulse.note_work(connection, [*stages, *waited_for])
    for stage in stages:
        doorbell.ring(stage)
    return stages


def _free_deliveries() -> None:
    """What nobody is sending any more, and what nobody acknowledged in time: due again, or dead."""
    max_deliveries = {name: lane.max_deliveries for name, lane in settings().lanes.items()}
    due = dead = 0
    for _ in range(_GROUPS):
        with process.database().transaction() as connection:
            freed, buried = deliver.free_lapsed(
                connection,
                max_deliveries,
                _NEW.max_deliveries,
                by_broker=most_tries_of_webhooks(settings()),
                limit=_FREED_AT_ONCE,
            )
        due, dead = due + freed, dead + buried
        if freed + buried < _FREED_AT_ONCE:
            break
    if due:
        log.warning("brought home", deliveries_due=due)
        doorbell.ring(routes.DELIVER)
    if dead:
        log.error("deliveries are dead", items=dead, why="sent again and again, and never heard of")


def _queues_with_messages() -> list[str]:
    """The stages that only their own messages wake, and that have some: products wait for them."""
    reach("before the queues are asked")
    try:
        with process.redis_client().pipeline(transaction=False) as asked:
            for queue in WOKEN_BY_PRODUCTS:
                asked.llen(queue)
            lengths = asked.execute()
    except redis.RedisError as error:
        log.warning("queues can't be looked at", error=str(error))
        return []
    return [queue for queue, length in zip(WOKEN_BY_PRODUCTS, lengths, strict=True) if length]


def publish_policy() -> None:
    """Tell products what they may enqueue, and operators whose word that is; again and again, since Redis forgets."""
    reach("before policy")
    try:
        published = settings().published(datetime.now(UTC))
        lane_options = {name: options(lane) for name, lane in settings().lanes.items()}
        shown = {"file": published.file, "at": published.at, "lanes": lane_options}
        client = process.redis_client()
        client.set(routes.POLICY_KEY, replace(process.policy(), published=published).dump())
        reach("between policies")
        client.hset(routes.HOST_POLICIES_KEY, published.host, orjson.dumps(shown))
        reach("after policy")
    except redis.RedisError as error:
        log.warning("policy not published", error=str(error))


@dataclass
class _Housekeeping:
    at: float | None = None
    """When this process last kept house, by the monotonic clock."""


@held
def _last_housekeeping() -> _Housekeeping:
    return _Housekeeping()


def _keep_house() -> None:
    last = _last_housekeeping()
    if last.at is not None and time.monotonic() - last.at < _HOUSEKEEPING_EVERY_S:
        return
    last.at = time.monotonic()
    parts: tuple[Callable[[], object], ...] = (
        *(_give_up_deliveries, queue_looks.look, _answer_followers, _add_up, _forget, _make_room, retain.retain),
        _put_bills_beside_plans,
        api_deletions.delete_batches,
        _read_damaged,
    )
    for part in parts:
        _alone(part)


def _answer_followers() -> None:
    with process.database().transaction() as connection:
        following.answer(connection)


def _read_damaged() -> None:
    """Somebody may have restored them."""
    with process.database().transaction() as connection:
        damaged.look_again(connection)


def _add_up() -> None:
    with process.database().transaction() as connection:
        rescue.fold_tally(connection)
        unfinished.fold(connection)
        costs.fold_days(connection)
        settle.fold(connection)
        kept.fold(connection)
        counters.fold(connection)


def _put_bills_beside_plans() -> None:
    """For pages and metrics, whether somebody plans again or not."""
    with process.database().transaction() as connection:
        plans.settle(connection)


def _forget() -> None:
    with process.database().transaction() as connection:
        obstacles.forget(connection)
        failures.forget(connection)
        rescue.forget_messages(connection)
        recall.forget(connection)
        rescue.forget_sightings(connection)
        caching.forget(connection)
        measure.forget(connection)
        prefixes.delete_unused(connection)


def _make_room() -> None:
    with process.database().transaction() as connection:
        partitions.make_partitions(connection)
        partitions.note_full(connection)


def _give_up_deliveries() -> None:
    """What has waited too long for a broker that is away or full: dead, and can be replayed."""
    patience = {name: lane.deliver_for for name, lane in settings().lanes.items()}
    for _ in range(_GROUPS):
        with process.database().transaction() as connection:
            buried = obstacles.give_up(
                connection,
                patience,
                _NEW.deliver_for,
                by_broker=patience_of_webhooks(settings()),
                limit=_FREED_AT_ONCE,
            )
        if buried:
            log.error("deliveries are dead", items=buried, why="their broker was away or full for too long")
        if buried < _FREED_AT_ONCE:
            break
