"""Alarms: what a person should look at, the same in `overnight status`, `overnight doctor`, Flower and the metrics.

Each kind says what it means, what Overnight does by itself and what to do. The table in
workers/docs/alarms.md is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from overnight_models import routes
from overnight_models.ledger.operators.overview import DeadDelivery, LaneView
from overnight_models.ledger.operators.pulse import Pulse
from overnight_models.ledger.operators.troubles import Troubles
from overnight_models.ledger.pack.reserve import NO_BOUND, NO_PRICE, OVER
from overnight_models.ledger.roads.kept import MOST_COUNTED
from overnight_models.ledger.workspaces import WorkspaceState
from overnight_models.quantities import spoken
from overnight_models.states import ITEM
from overnight_models.wire.policy import Policy
from overnight_workers.settings import Lane, Settings, Timing

_LATE_S: Final = 120.0
"""What takes seconds and is so late waits for a worker."""
_UNSWEPT_S: Final = 55.0
"""So that a probe that runs every minute says within two that nobody sweeps."""
_SILENT_S: Final = 90.0
"""Stages say every 10 s that they run: an alarm comes within two minutes."""
_NEVER_S: Final = float("inf")
_UNCLEAR_LONG_S: Final = 25 * 3600.0
_UNREAD_LONG_S: Final = 900.0
_AGING_S: Final = 5 * 86400.0
_UNREAD_QUEUE_S: Final = 600.0
_FULL_LONG_S: Final = 900.0
_LIMITED_LONG_S: Final = 900.0


@dataclass(frozen=True)
class Kind:
    """One kind of alarm."""

    means: str
    does: str
    """What Overnight does by itself."""
    do: str
    """What a person does."""
    urgent: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "redis away": Kind(
        "Overnight's own Redis doesn't answer, takes no writes (full, or a replica), or no password",
        "keeps everything in Postgres and dials again; products can't enqueue, nothing moves",
        "start Redis, free memory, or correct OVERNIGHT_REDIS_URL; `overnight doctor` says which of them",
    ),
    "ledger read-only": Kind(
        "Postgres answers and takes no writes: it is a standby, or a primary that was replaced and stayed up",
        "nothing moves; whoever writes dials again each time, and goes on at the server that takes writes",
        "promote a standby, or let OVERNIGHT_DATABASE_URL lead to the primary; name all hosts in it",
    ),
    "sweep missing": Kind(
        "nothing has swept for too long: no beat, no worker for overnight.rescue, or no Redis between them",
        "nothing: without the sweep lost doorbells aren't rung again, and batches aren't listed",
        "start `celery -A overnight_workers.app beat` and a worker with -Q overnight.rescue; kill a frozen one",
    ),
    "stage silent": Kind(
        "there is work for a stage, and no worker of it has run for too long",
        "rings for it at every sweep",
        "start a worker that listens to its queue (-Q); one that is there and silent is frozen: kill it",
    ),
    "ledger moved": Kind(
        "the database was restored, failed over or set back: it may have forgotten what was sent",
        "sends nothing; reads every batch at the API whose token may be its own, collects those, then goes on",
        "wait; `overnight resume --all --anyway` goes on without looking (what is sent again is paid twice)",
    ),
    "copy": Kind(
        "the ledger lives in another database than it did: its original may still run",
        "sends nothing",
        "if the original is gone for good: `overnight resume --all`; if not, stop these workers",
    ),
    "workspace held": Kind(
        "money or permission: 401, 402, 403, 404, a spend limit, an organization on hold, no key",
        "items wait, nothing counts as an attempt; tried again after 1 minute, then less and less often, up to hourly; "
        "what only a setting at Anthropic ends is not tried before `overnight resume --all`",
        "mend it at Anthropic; `overnight resume --all` tries at once",
    ),
    "list unread": Kind(
        "the API's list of batches can't be read, or not all of it: no answer, odd rows, no Date, a repeated page",
        "goes on looking, after the other workspaces; takes what can be read, and believes nothing lost by such a list",
        "see what it says: mend `base_url` or the gateway between, or ask Anthropic",
    ),
    "stage failing": Kind(
        "a stage fails for a reason of our own: no room on Postgres' disk or in the temporary directory, or a defect",
        "gives back with the reason what it had taken, goes on with the rest, and tries again, up to every 5 minutes",
        "see what it says: make room on Postgres' disk, or in the directory that TMPDIR names (a body has up to 256 MB)"
        "; for anything else the worker's log has more: report it",
    ),
    "batch unclear": Kind(
        "a create had no usable answer, and for more than a day no list has settled it",
        "looks at every poll; sends nothing of it again",
        "`overnight batches --unclear` says why; `overnight decide BATCH --adopt ID` or `--never-created`",
    ),
    "batch overdue": Kind(
        "a batch runs longer than the API's 24 hours",
        "goes on looking; its items wait for it",
        "ask Anthropic; `overnight decide BATCH --gone` fails its items",
    ),
    "results unread": Kind(
        "a batch ended and its results can't be read, or have fewer lines than requests",
        "reads again, with pauses of up to an hour; after `missing_for` (7 days) the missing items fail as `given_up`",
        "see why in `overnight batches`; is a worker listening to overnight.collect?",
    ),
    "results aging": Kind(
        "results are let go by the API 29 days after their batch was created, and these aren't recorded",
        "goes on reading",
        "mend what keeps them from being read: afterwards they are lost, and paid",
    ),
    "deliveries dead": Kind(
        "a callback's queue turned them down, its broker was away for too long, or the callback never acknowledged",
        "keeps them; a late acknowledgement still counts",
        "mend what their `error` says, then `overnight replay` (by `--lane`, `--run`, `--key`, `--since`)",
    ),
    "broker away": Kind(
        "a product's broker doesn't answer, takes no writes or no password, or isn't in the configuration",
        "its deliveries wait, no try is counted; looks again every minute; dead after the lane's `deliver_for`",
        "mend the broker, or `[brokers.NAME]`: deliveries go on by themselves",
    ),
    "budget stuck": Kind(
        "a budget can't take items: alone they need more than its cap, their model has no price, or they have no bound"
        " and it is strict",
        "holds them; they go on by themselves when it is raised, there is a price, or it isn't strict any more",
        "`overnight budget` says how much they need; put the price into OVERNIGHT_PRICES; images, documents and tools"
        " need `overnight budget … --estimated`",
    ),
    "lane unknown": Kind(
        "items wait in a lane that the policy in force doesn't have: the workers' overnight.toml",
        "keeps them",
        "put the lane back into the overnight.toml of that host, and start its workers again",
    ),
    "deadlines at risk": Kind(
        "deadlines are over, or will be within a minute, before an answer comes",
        "sends what it may in real time, as fast as the account's limits allow; each item says why it is late",
        "`overnight items --late`: is a worker listening to overnight.direct? Raise the account's limits, or "
        '`deadline_confidence`; a lane of batches needs `road = "by_deadline"`',
    ),
    "rate limited for long": Kind(
        "items that go in real time have waited for the account's rate limit again and again for a quarter of an hour",
        "sends as fast as the limit allows, the earliest deadline first",
        "ask Anthropic for a higher tier, give work that can wait to a lane of batches, or use another workspace",
        urgent=False,
    ),
    "over budget": Kind(
        "a budget of a lane, a tenant or a run has no room for items that wait",
        "holds them; they go on by themselves: it is raised, less is billed than reserved, or its next period begins",
        "`overnight budget` shows what is left: wait, or raise it",
        urgent=False,
    ),
    "waiting overdue": Kind(
        "items wait longer than their lane's `max_wait`",
        "rings for pack at every sweep; prompts that may be too long are counted first, at the account's rate",
        "is a beat running, and a worker for overnight.pack and overnight.measure? `overnight doctor`",
        urgent=False,
    ),
    "other policy": Kind(
        "whoever looks (a command, Flower) reads another overnight.toml than the workers, and lacks lanes of theirs",
        "works by the policy in force; what is shown here of those lanes is by the defaults",
        "run it in the directory of the workers' overnight.toml, or set OVERNIGHT_CONFIG to it",
        urgent=False,
    ),
    "queue full": Kind(
        "batches wait because the API's queue has as many requests as the account may have there",
        "sends them as others end",
        "raise `queue_limit` if the account's tier allows more",
        urgent=False,
    ),
    "product full": Kind(
        "a product's queue has `max_queue` messages, or its Redis is near its limit, and none was taken for long",
        "its deliveries wait, no try is counted; dead after the lane's `deliver_for`",
        "is a worker listening to that queue? Else it may be mistyped in the callback",
        urgent=False,
    ),
    "queue unread": Kind(
        "outcomes lie in a product's queue, and nobody has taken the oldest for more than ten minutes",
        "goes on delivering until the queue has `max_queue` messages",
        "start a worker that listens to that queue (-Q); without one it may be mistyped in the callback, or its broker",
        urgent=False,
    ),
    "caching given up": Kind(
        "a lane's prefixes were read from the cache too seldom for what it costs to write them",
        "leaves them uncached, or lets none go ahead; tries again when what it measured is a week old",
        "nothing; larger batches of one prefix are read more often",
        urgent=False,
    ),
    "lane paused": Kind(
        "somebody ran `overnight pause`, or everything in it was rejected in the same words",
        "items wait; open batches go on",
        "mend what the reason says, then `overnight resume LANE`: rejected batches are tried whole",
        urgent=False,
    ),
    "paid twice": Kind(
        "an answer came for an item that had one: see *the honest bound*",
        "bills it, shows it, drops the second answer",
        "nothing; if it repeats, raise `quiet`, and ask whether something on the way to the API repeats calls",
        urgent=False,
    ),
}


@dataclass(frozen=True)
class Alarm:
    """One alarm that is on."""

    kind: str
    text: str
    """One sentence: what, since when, why."""

    @property
    def urgent(self) -> bool:
        """Whether somebody should be woken."""
        return KINDS[self.kind].urgent

    @property
    def do(self) -> str:
        """What a person does."""
        return KINDS[self.kind].do


def alarms(
    *,
    lanes: Sequence[LaneView],
    workspaces: Sequence[WorkspaceState],
    troubles: Troubles,
    dead: Sequence[DeadDelivery],
    settings: Settings,
    redis_fault: str | None = None,
    policy: Policy | None = None,
) -> list[Alarm]:
    """Every alarm that is on, the urgent ones first.

    redis_fault: what is wrong with Overnight's own Redis, as `redis_health.fault` says it.
    policy: the one in force, which the workers have published; None: judged by these settings alone.
    """
    found = [
        *_redis(redis_fault),
        *_read_only(troubles.read_only),
        *_never_swept(troubles.pulses, lanes),
        *_pulse(troubles.pulses, settings.timing),
        *_moved(troubles),
        *_workspaces(workspaces, settings),
        *_batches(troubles),
        *_lanes(lanes, settings.lanes, policy),
        *_dead(lanes, dead),
        *_obstacles(troubles),
        *_unread_queues(troubles),
        *_given_up(troubles),
        *_budgets(troubles),
        *_deadlines(troubles),
    ]
    return sorted(found, key=lambda alarm: not alarm.urgent)


def _deadlines(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.late:
        many = "a thousand or more" if one.items >= MOST_COUNTED else f"{one.items:,}"
        since = f"the first is over for {spoken(one.first_s)}" if one.first_s > 0 else "the first is over in a minute"
        yield Alarm(
            "deadlines at risk", f"Lane {one.lane}: {many} deadlines pass while items are {one.where}: {since}."
        )
    for limit in troubles.limited:
        if limit.since_s > _LIMITED_LONG_S:
            yield Alarm(
                "rate limited for long",
                f"{limit.model} of workspace {limit.workspace} waits for its limit for {spoken(limit.since_s)}: "
                f"{limit.why}.",
            )


def _redis(fault: str | None) -> Iterator[Alarm]:
    if fault is not None:
        yield Alarm("redis away", f"Overnight's own Redis: {fault}")


def _read_only(why: str | None) -> Iterator[Alarm]:
    if why is not None:
        yield Alarm("ledger read-only", f"Postgres takes no writes: {why}.")


def _never_swept(pulses: Sequence[Pulse], lanes: Sequence[LaneView]) -> Iterator[Alarm]:
    """A beat that was never started: what somebody accepted, and waits, is the only sign of it."""
    oldest_s = max((lane.oldest_waiting_s or 0.0 for lane in lanes if lane.paused_reason is None), default=0.0)
    if pulses and oldest_s > _UNSWEPT_S and all(pulse.stage != routes.RESCUE for pulse in pulses):
        yield Alarm(
            "sweep missing", f"Nobody has ever swept, and an item waits for {spoken(oldest_s)} ({routes.RESCUE})."
        )


def _pulse(pulses: Sequence[Pulse], timing: Timing) -> Iterator[Alarm]:
    ticks = {
        routes.RESCUE: ("swept", max(_UNSWEPT_S, 3 * timing.sweep_every)),
        routes.POLL: ("looked for batches", max(_SILENT_S, 3 * timing.poll_every)),
    }
    for pulse in pulses:
        if pulse.failing_s is not None:
            yield Alarm(
                "stage failing", f"{pulse.stage} has failed for {spoken(pulse.failing_s)}, last: {pulse.failing_why}"
            )
        if pulse.stage in ticks and pulse.silent_s is not None:
            did, patience_s = ticks[pulse.stage]
            if pulse.silent_s > patience_s:
                yield Alarm("sweep missing", f"Nobody has {did} for {spoken(pulse.silent_s)} ({pulse.stage}).")
        elif min(pulse.work_s or 0.0, _NEVER_S if pulse.silent_s is None else pulse.silent_s) > _SILENT_S:
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
    for one in workspaces:
        if one.held_for_s is not None:
            reason = one.held_reason or "no reason given"
            text = f"Workspace {one.name} is held for {spoken(one.held_for_s)}: {reason}"
            waits = ". It isn't tried again before `overnight resume --all`" if one.until_resumed else ""
            yield Alarm("workspace held", text + waits)
        if (one.unread_for_s or 0.0) > _LATE_S:
            yield Alarm(
                "list unread",
                f"Workspace {one.name} isn't read for {spoken(one.unread_for_s or 0.0)}: {one.unread_why}",
            )
        known = settings.workspaces.get(one.name)
        if known is not None and one.queued and one.queued + (one.smallest_packed or 0) > known.queue_limit:
            yield Alarm(
                "queue full",
                f"Workspace {one.name}: {one.queued:,} of {known.queue_limit:,} requests are in the API's queue.",
            )


def _batches(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.unclear:
        if one.quiet_s < -_UNCLEAR_LONG_S:
            yield Alarm("batch unclear", f"Batch {one.batch_id} is unclear since {one.claimed_at:%F %R}: {one.so_far}")
    for overdue in troubles.overdue:
        yield Alarm("batch overdue", f"Batch {overdue.batch_id} ({overdue.api_id}) runs for {spoken(overdue.open_s)}.")
    for unread in troubles.unread:
        name = f"batch {unread.batch_id} ({unread.api_id})"
        if unread.kept_s < _AGING_S:
            left = f"in {spoken(unread.kept_s)}" if unread.kept_s > 0 else "already"
            yield Alarm("results aging", f"The results of {name} are let go {left}, and aren't recorded: {unread.why}")
        elif unread.ended_s > _UNREAD_LONG_S:
            yield Alarm(
                "results unread",
                f"The results of {name} wait for {spoken(unread.ended_s)}: {unread.why or 'not begun'}",
            )


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
            yield Alarm("lane paused", f"Lane {lane.lane} is paused: {lane.paused_reason}")
        elif policy is not None and _waits_too_long(lane, policy):
            waited = spoken(lane.oldest_waiting_s or 0.0)
            counted = f" {lane.unmeasured:,} prompts are still to be counted." if lane.unmeasured else ""
            yield Alarm("waiting overdue", f"Lane {lane.lane}: an item waits for {waited}, max_wait is over.{counted}")


def _waits_too_long(lane: LaneView, policy: Lane) -> bool:
    """Whether `max_wait` should have packed it: not where a lane has its hours, or waits for more items."""
    may_wait = policy.submit_window is not None or policy.min_items > 1 or policy.road == "direct"
    return not may_wait and (lane.oldest_waiting_s or 0.0) > policy.max_wait + _LATE_S


def _dead(lanes: Sequence[LaneView], dead: Sequence[DeadDelivery]) -> Iterator[Alarm]:
    number = sum(lane.deliveries.get("dead", 0) for lane in lanes)
    if number:
        newest = f" The newest, for queue {dead[0].queue}: {dead[0].error or 'no reason given'}" if dead else ""
        verb = "delivery was" if number == 1 else "deliveries were"
        yield Alarm("deliveries dead", f"{number:,} {verb} given up and can be replayed.{newest}")
    twice = sum(lane.paid_twice for lane in lanes)
    if twice:
        yield Alarm("paid twice", f"{twice:,} answers of items that had one already: paid twice")


def _obstacles(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.obstacles:
        if not one.queue and one.lasted_s > _LATE_S:
            name = one.broker or "Overnight's own Redis"
            yield Alarm("broker away", f"Broker {name} is away for {spoken(one.lasted_s)}: {one.why}")
        elif one.queue and one.lasted_s > _FULL_LONG_S:
            yield Alarm("product full", f"Nothing was taken for {spoken(one.lasted_s)}: {one.why}")


def _unread_queues(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.unread_queues:
        if one.unread_s > _UNREAD_QUEUE_S:
            name = f"broker {one.broker}" if one.broker else "Overnight's own Redis"
            yield Alarm(
                "queue unread",
                f"Queue {one.queue!r} of {name}: nobody has taken the oldest of {one.messages:,} messages for"
                f" {spoken(one.unread_s)}.",
            )


def _budgets(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.holding:
        over = one.held.get(OVER)
        if over:
            again = "" if one.ends_s is None else f"; the next period begins in {spoken(one.ends_s)}"
            yield Alarm("over budget", f"{over:,} items are held by the budget of {one.title}{again}.")
        if one.too_small:
            yield Alarm("budget stuck", f"The budget of {one.title} is too small: {one.too_small}.")
        for why in (NO_PRICE, NO_BOUND):
            if one.held.get(why):
                yield Alarm("budget stuck", f"{one.held[why]:,} items are held by the budget of {one.title}: {why}.")


def _given_up(troubles: Troubles) -> Iterator[Alarm]:
    for one in troubles.given_up:
        number = f"{one.prefixes:,} prefix is" if one.prefixes == 1 else f"{one.prefixes:,} prefixes are"
        yield Alarm("caching given up", f"Lane {one.lane}, {one.model}: {number} not {one.what} any more: {one.why}")
