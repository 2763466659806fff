"""When an alarm is on: the same in `overnight status`, `overnight doctor`, Flower and the metrics.

What each kind means and what to do: `alarm_kinds.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from overnight_models import routes
from overnight_models.ledger.deliver.obstacles import GONE_S
from overnight_models.ledger.operators.failures import Failing
from overnight_models.ledger.operators.overview import DeadDelivery, LaneView
from overnight_models.ledger.operators.pulse import Pulse
from overnight_models.ledger.operators.troubles import Troubles
from overnight_models.ledger.pack.reserve import NO_BOUND, NO_PRICE, OVER
from overnight_models.ledger.roads.kept import MOST_COUNTED
from overnight_models.ledger.workspaces import WorkspaceState
from overnight_models.quantities import several, spoken
from overnight_models.states import ITEM
from overnight_models.wire.message import WEBHOOK
from overnight_models.wire.policy import Policy
from overnight_workers.operators import lane_waits, targets
from overnight_workers.operators.alarm_kinds import Alarm, against_failure
from overnight_workers.operators.lane_waits import LATE_S
from overnight_workers.operators.redis_health import RedisHealth
from overnight_workers.operators.run_alarms import run_alarms
from overnight_workers.operators.workers import MISSING, Sign, faults_of
from overnight_workers.settings import Lane, Settings, Timing

_UNSWEPT_S: Final = 55.0
"""So that a probe that runs every minute says within two that nobody sweeps."""
SILENT_S: Final = 90.0
"""Stages say every 10 s that they run: an alarm comes within two minutes."""
_NEVER_S: Final = float("inf")
_UNCLEAR_LONG_S: Final = 25 * 3600.0
_UNREAD_LONG_S: Final = 900.0
_AGING_S: Final = 5 * 86400.0
_UNREAD_QUEUE_S: Final = 600.0
_FULL_LONG_S: Final = 900.0
_LIMITED_LONG_S: Final = 900.0
_MOST_CHARACTERS: Final = 400
_MOST_REASONS: Final = 5
"""Of one stage that fails."""
_MOST_NAMES: Final = 3
_RELAY_LATE_S: Final = 60.0
"""So that somebody is woken within two minutes."""


def alarms(
    *,
    lanes: Sequence[LaneView],
    workspaces: Sequence[WorkspaceState],
    troubles: Troubles,
    dead: Sequence[DeadDelivery],
    settings: Settings,
    redis: RedisHealth | None = None,
    signs: Sequence[Sign] | None = None,
    policy: Policy | None = None,
) -> list[Alarm]:
    """Every alarm that is on, the urgent ones first.

    redis: how Overnight's own Redis is; None: it wasn't asked.
    signs: of the workers that live; None: they weren't asked for.
    policy: the one in force, which the workers have published; None: judged by these settings alone.
    """
    alarms_on = [
        *_redis(redis),
        *_workers(signs),
        *_read_only(troubles.read_only),
        *_damaged(troubles),
        *_never_swept(troubles.pulses, lanes),
        *_failing(troubles.failures),
        *_pulse(troubles.pulses, settings.timing),
        *_moved(troubles),
        *_workspaces(workspaces, settings),
        *_batches(troubles),
        *_lanes(lanes, settings.lanes, policy),
        *_dead(lanes, dead),
        *_obstacles(troubles),
        *_unread_queues(troubles),
        *_given_up(troubles),
        *_unreadable(troubles),
        *_budgets(troubles),
        *_deadlines(troubles),
        *_relays(troubles, settings),
        *run_alarms(troubles),
    ]
    return sorted(alarms_on, key=lambda alarm: not alarm.urgent)


def _deadlines(troubles: Troubles) -> Iterator[Alarm]:
    for late in troubles.late:
        number = "a thousand or more" if late.items >= MOST_COUNTED else f"{late.items:,}"
        passes = "deadline passes" if late.items == 1 else "deadlines pass"
        since = f"the first is over for {spoken(late.first_s)}" if late.first_s > 0 else "the first is over in a minute"
        text = f"Lane {late.lane}: {number} {passes} while items are {late.where}: {since}."
        yield Alarm("deadlines at risk", text, lane=late.lane)
    for limit in troubles.limited:
        if limit.since_s > _LIMITED_LONG_S:
            yield Alarm(
                "rate limited for long",
                f"{limit.model} of workspace {limit.workspace} waits for its limit for {spoken(limit.since_s)}: "
                f"{limit.why}.",
            )


def _relays(troubles: Troubles, settings: Settings) -> Iterator[Alarm]:
    known = {relay.name for relay in troubles.relays}
    for name in settings.relays:
        if name not in known:
            yield Alarm("relay behind", f"Relay {name} is in the configuration and has never run.")
    for relay in troubles.relays:
        waits = f"{several(relay.waiting, 'message')} waited in its inbox, the oldest for {spoken(relay.oldest_s)}"
        if relay.silent_s > SILENT_S and (relay.name in settings.relays or relay.waiting):
            yield Alarm("relay behind", f"Relay {relay.name} has said nothing for {spoken(relay.silent_s)}; {waits}.")
        elif (relay.failing_s or 0.0) > _RELAY_LATE_S:
            yield Alarm(
                "relay behind",
                f"Relay {relay.name} has taken nothing on for {spoken(relay.failing_s or 0.0)}: {relay.failing_why}",
            )
        elif relay.oldest_s > _RELAY_LATE_S:
            yield Alarm("relay behind", f"Relay {relay.name}: {waits}.")
        if relay.aside:
            number = "a message was" if relay.aside == 1 else f"{relay.aside:,} messages were"
            yield Alarm(
                "messages put aside",
                f"Relay {relay.name}: {number} put aside, the last: {relay.aside_why or ''}"[:_MOST_CHARACTERS],
                name=relay.name,
            )


def _redis(health: RedisHealth | None) -> Iterator[Alarm]:
    if health is not None and health.fault is not None:
        kind = "redis refuses writes" if health.lets_in else "redis away"
        yield Alarm(kind, f"Overnight's own Redis: {health.fault}")


def _workers(signs: Sequence[Sign] | None) -> Iterator[Alarm]:
    for fault in () if signs is None else faults_of(signs):
        yield Alarm(MISSING, f"{fault}.")


def _read_only(why: str | None) -> Iterator[Alarm]:
    if why is not None:
        yield Alarm("ledger read-only", f"Postgres takes no writes: {why}.")


def _damaged(troubles: Troubles) -> Iterator[Alarm]:
    """One for all: a disk that loses bytes loses many."""
    if troubles.damaged:
        first = troubles.damaged[0]
        others = "" if len(troubles.damaged) == 1 else f" {len(troubles.damaged) - 1} or more others can't, either."
        yield Alarm("answers damaged", f"{first.kind} {first.group_id} can't be read: {first.why}.{others}")


def _never_swept(pulses: Sequence[Pulse], lanes: Sequence[LaneView]) -> Iterator[Alarm]:
    """A beat that was never started: what somebody accepted, and waits, is the only sign of it."""
    oldest_s = max((lane.oldest_waiting_s or 0.0 for lane in lanes if lane.paused_reason is None), default=0.0)
    if pulses and oldest_s > _UNSWEPT_S and all(pulse.stage != routes.RESCUE for pulse in pulses):
        yield Alarm(
            "sweep missing", f"Nobody has ever swept, and an item waits for {spoken(oldest_s)} ({routes.RESCUE})."
        )


def _failing(failures: Sequence[Failing]) -> Iterator[Alarm]:
    """For each stage and reason one, since a full disk is one trouble; of a stage so many, and how many things more."""
    stages: dict[str, dict[str, list[Failing]]] = {}
    for failing in failures:
        stages.setdefault(failing.stage, {}).setdefault(failing.why, []).append(failing)
    for stage, reasons in stages.items():
        for first, *alike in list(reasons.values())[:_MOST_REASONS]:
            text = f"{stage} has failed for {spoken(first.since_s)}, last: {first.said}"
            if alike:
                names = [failing.what for failing in alike[:_MOST_NAMES]]
                more = len(alike) - len(names)
                text += f"; for the same reason at {', '.join(names)}" + (f" and {more} more" if more else "")
            yield Alarm("stage failing", text, batch_id=_batch_of(first.what), advice=against_failure(first.said))
        others = sum(len(alike) for alike in list(reasons.values())[_MOST_REASONS:])
        if others:
            yield Alarm("stage failing", f"{stage} fails at {several(others, 'other thing')}; its log says why.")


def _batch_of(subject: str) -> int | None:
    """The batch that a thing of a stage is, if it is one: "batch 7"."""
    kind, _, name = subject.partition(" ")
    return int(name) if kind == "batch" and name.isascii() and name.isdigit() else None


def _pulse(pulses: Sequence[Pulse], timing: Timing) -> Iterator[Alarm]:
    ticks = {
        routes.RESCUE: ("swept", max(_UNSWEPT_S, 3 * timing.sweep_every)),
        routes.POLL: ("looked for batches", max(SILENT_S, 3 * timing.poll_every)),
    }
    for pulse in pulses:
        if pulse.stage in ticks and pulse.silent_s is not None:
            did, patience_s = ticks[pulse.stage]
            if pulse.silent_s > patience_s:
                yield Alarm("sweep missing", f"Nobody has {did} for {spoken(pulse.silent_s)} ({pulse.stage}).")
        elif min(pulse.work_s or 0.0, _NEVER_S if pulse.silent_s is None else pulse.silent_s) > SILENT_S:
            since = "has never run" if pulse.silent_s is None else f"last ran {spoken(pulse.silent_s)} ago"
            yield Alarm("stage silent", f"{pulse.stage} has had work for {spoken(pulse.work_s or 0.0)} and {since}.")


def _moved(troubles: Troubles) -> Iterator[Alarm]:
    home = troubles.deployment
    if home.moved_at is None:
        return
    if home.word_wanted:
        yield Alarm("copy", f"The ledger moved: {home.moved_why}. It sends nothing before somebody lets it.")
    if troubles.unlooked:
        names = ", ".join(troubles.unlooked)
        yield Alarm("ledger moved", f"The ledger moved: {home.moved_why}. Nothing is sent to {names} before a look.")


def _workspaces(workspaces: Sequence[WorkspaceState], settings: Settings) -> Iterator[Alarm]:
    for workspace in workspaces:
        if workspace.held_for_s is not None:
            reason = workspace.held_reason or "no reason given"
            text = f"Workspace {workspace.name} is held for {spoken(workspace.held_for_s)}: {reason}"
            waits = ". It isn't tried again before `overnight resume --all`" if workspace.until_resumed else ""
            yield Alarm("workspace held", text + waits)
        if (workspace.unread_for_s or 0.0) > LATE_S:
            yield Alarm(
                "list unread",
                f"Workspace {workspace.name} isn't read for {spoken(workspace.unread_for_s or 0.0)}:"
                f" {workspace.unread_why}",
            )
        known = settings.workspaces.get(workspace.name)
        if (
            known is not None
            and workspace.queued
            and workspace.queued + (workspace.smallest_packed or 0) > known.queue_limit
        ):
            yield Alarm(
                "queue full",
                f"Workspace {workspace.name}: {workspace.queued:,} of {known.queue_limit:,} requests are in the API's"
                " queue.",
            )


def _batches(troubles: Troubles) -> Iterator[Alarm]:
    for batch in troubles.unclear:
        if batch.quiet_s < -_UNCLEAR_LONG_S:
            text = f"Batch {batch.batch_id} is unclear since {batch.claimed_at:%F %R}: {batch.so_far}"
            yield Alarm("batch unclear", text, batch_id=batch.batch_id)
    for overdue in troubles.overdue:
        text = f"Batch {overdue.batch_id} ({overdue.api_id}) has been running for {spoken(overdue.open_s)}."
        yield Alarm("batch overdue", text, batch_id=overdue.batch_id)
    for unread in troubles.unread:
        name = f"batch {unread.batch_id} ({unread.api_id})"
        if unread.kept_s < _AGING_S:
            left = f"in {spoken(unread.kept_s)}" if unread.kept_s > 0 else "already"
            text = f"The results of {name} are let go {left}, and aren't recorded: {unread.why}"
            yield Alarm("results aging", text, batch_id=unread.batch_id)
        elif unread.ended_s > _UNREAD_LONG_S:
            text = f"The results of {name} have been waiting for {spoken(unread.ended_s)}: {unread.why or 'not begun'}"
            yield Alarm("results unread", text, batch_id=unread.batch_id)


def _unknown(lanes: Sequence[LaneView], policies: Mapping[str, Lane], in_force: Policy | None) -> Iterator[Alarm]:
    """Lanes with unfinished items that a configuration lacks: the workers', or only the one that is read here."""
    unfinished = [lane.lane for lane in lanes if any(lane.items.get(state) for state in ITEM.unfinished)]
    known = policies if in_force is None else in_force.lanes
    whose = "the configuration" if in_force is None else f"the policy in force ({in_force.published})"
    for name in unfinished:
        if name not in known:
            yield Alarm("lane unknown", f"Lane {name} has unfinished items, and {whose} doesn't have it.")
    elsewhere = [name for name in unfinished if name in known and name not in policies]
    if elsewhere and in_force is not None:
        verb = "isn't" if len(elsewhere) == 1 else "aren't"
        yield Alarm(
            "other policy",
            f"Lane {', '.join(elsewhere)} {verb} in the configuration read here, and in the policy in force"
            f" ({in_force.published}).",
        )


def _lanes(lanes: Sequence[LaneView], policies: Mapping[str, Lane], in_force: Policy | None) -> Iterator[Alarm]:
    yield from _unknown(lanes, policies, in_force)
    for lane in lanes:
        policy = policies.get(lane.lane)
        if lane.paused_reason is not None:
            # whoever paused it knows when it may go on; nothing of it has to be mended
            advice = f"when that is over, `overnight resume {lane.lane}`" if lane.paused_by else ""
            text = f"Lane {lane.lane} is {lane_waits.paused(lane)}"
            yield Alarm("lane paused", text, lane=lane.lane, advice=advice)
        elif policy is not None and lane_waits.is_overdue(lane, policy):
            waited = spoken(lane.oldest_waiting_s or 0.0)
            counted = (
                f" {several(lane.unmeasured, 'prompt is', 'prompts are')} still to be counted."
                if lane.unmeasured
                else ""
            )
            text = f"Lane {lane.lane}: an item waits for {waited}, max_wait is over.{counted}"
            yield Alarm("waiting overdue", text, lane=lane.lane)


def _dead(lanes: Sequence[LaneView], dead: Sequence[DeadDelivery]) -> Iterator[Alarm]:
    number = sum(lane.deliveries.get("dead", 0) for lane in lanes)
    if number:
        newest = f" The newest, for {_said_of(dead[0])}" if dead else ""
        verb = "delivery was" if number == 1 else "deliveries were"
        yield Alarm("deliveries dead", f"{number:,} {verb} given up and can be replayed.{newest}")
    twice = sum(lane.paid_twice for lane in lanes)
    if twice:
        were = (
            "answer of an item that had one already was" if twice == 1 else "answers of items that had one already were"
        )
        yield Alarm("paid twice", f"{twice:,} {were} paid a second time.")


def _said_of(dead: DeadDelivery) -> str:
    """Where a delivery was to go, and why it is dead. An endpoint's own words may quote an answer: left out."""
    said = dead.error or ""
    if dead.broker.startswith(WEBHOOK) and said.startswith("webhook "):
        said = ": ".join(said.split(": ")[:2])
    return f"{targets.named(dead.broker, dead.queue)}: {said or 'no reason given'}"


def _obstacles(troubles: Troubles) -> Iterator[Alarm]:
    for obstacle in troubles.obstacles:
        if obstacle.broker.startswith(WEBHOOK):
            name, lasted = obstacle.broker.removeprefix(WEBHOOK), spoken(obstacle.lasted_s)
            if obstacle.paused_for_s > GONE_S:
                yield Alarm("webhook gone", f"Webhook {name} is gone for {lasted}: {obstacle.why}", name=name)
            elif obstacle.lasted_s > LATE_S:
                yield Alarm("webhook away", f"Webhook {name} takes nothing for {lasted}: {obstacle.why}", name=name)
        elif not obstacle.queue and obstacle.lasted_s > LATE_S:
            name = obstacle.broker or "Overnight's own Redis"
            yield Alarm("broker away", f"Broker {name} is away for {spoken(obstacle.lasted_s)}: {obstacle.why}")
        elif obstacle.queue and obstacle.lasted_s > _FULL_LONG_S:
            name = targets.named(obstacle.broker, obstacle.queue)
            yield Alarm("product full", f"Nothing was taken by {name} for {spoken(obstacle.lasted_s)}: {obstacle.why}")


def _unread_queues(troubles: Troubles) -> Iterator[Alarm]:
    for queue in troubles.unread_queues:
        if queue.unread_s > _UNREAD_QUEUE_S:
            name = f"broker {queue.broker}" if queue.broker else "Overnight's own Redis"
            yield Alarm(
                "queue unread",
                f"Queue {queue.queue!r} of {name}: nobody has taken the oldest of"
                f" {several(queue.messages, 'message')} for {spoken(queue.unread_s)}.",
            )


def _budgets(troubles: Troubles) -> Iterator[Alarm]:
    for budget in troubles.holding:
        over = budget.held.get(OVER)
        if over:
            again = "" if budget.ends_s is None else f"; the next period begins in {spoken(budget.ends_s)}"
            waits = "" if budget.held_waits_s is None else f", the first of them for {spoken(budget.held_waits_s)}"
            yield Alarm(
                "over budget",
                f"{several(over, 'item is', 'items are')} held by the budget of {budget.title}{waits}{again}.",
            )
        if budget.too_small:
            yield Alarm("budget stuck", f"The budget of {budget.title} is too small: {budget.too_small}.")
        for why in (NO_PRICE, NO_BOUND):
            if budget.held.get(why):
                yield Alarm(
                    "budget stuck", f"{budget.held[why]:,} items are held by the budget of {budget.title}: {why}."
                )


def _unreadable(troubles: Troubles) -> Iterator[Alarm]:
    for held in troubles.unreadable:
        text = f"Lane {held.lane}: {several(held.items, 'item is', 'items are')} held: {held.why}"
        yield Alarm("bodies unreadable", text, lane=held.lane)


def _given_up(troubles: Troubles) -> Iterator[Alarm]:
    for item in troubles.given_up:
        number = f"{item.prefixes:,} prefix is" if item.prefixes == 1 else f"{item.prefixes:,} prefixes are"
        yield Alarm(
            "caching given up", f"Lane {item.lane}, {item.model}: {number} not {item.what} any more: {item.why}"
        )
