"""Recording: what came of calls, group by group, each in one transaction; kept until it is written."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from overnight_models import routes
from overnight_models.errors import TransientError
from overnight_models.ledger import workspaces
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.due import Due, recorded_and_claimed
from overnight_models.ledger.deliver.targets import Target
from overnight_models.ledger.direct import pauses
from overnight_models.ledger.direct import record as ledger
from overnight_models.ledger.direct.claim import Asked, Claim
from overnight_models.wire.outcome import Problem
from overnight_workers import limiter, process
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.limiter import Grant, Used
from overnight_workers.settings import Lane, settings
from overnight_workers.sizes import escalation
from overnight_workers.stages import answer_spans, doorbell, pulse
from overnight_workers.stages.collect.lines import arrival
from overnight_workers.stages.collect.schema_checks import check_of
from overnight_workers.stages.deliver import deliver
from overnight_workers.stages.direct.limits import Expected, used_by
from overnight_workers.stages.direct.replies import (
    LONGEST_PAUSE_S,
    Answered,
    HoldWorkspace,
    Lost,
    NotTaken,
    Refused,
    classify,
    without_answer,
)
from overnight_workers.stages.direct.requests import Request
from overnight_workers.stages.target_pacing import paced_brokers
from overnight_workers.telemetry import counted, logs

_PAUSE_S: Final = 2.0
"""For a model whose call wasn't taken, where the API doesn't say for how long."""
_LIMITED_S: Final = 5.0
"""The same where it says that the account goes too fast."""
_SAID_EVERY_S: Final = 10.0
"""That answers wait for a key."""

log = logs.get(__name__)


class Done(NamedTuple):
    """A call that has ended, and what was seen of it."""

    request: Request
    reply: Reply
    problem: Problem = Problem.ERRORED
    """Of one that is refused: that, or it was turned down before it was sent."""


class HandOver(NamedTuple):
    """Outcomes for one queue that this process has recorded, and hands over."""

    target: Target
    due: list[Due]


@dataclass
class _Group:
    """What calls of one claim came to."""

    claim: Claim
    arrivals: list[Arrival] = field(default_factory=list)
    lost: dict[int, str] = field(default_factory=dict)
    pauses: list[NotTaken] = field(default_factory=list)
    holds: list[HoldWorkspace] = field(default_factory=list)
    settled: list[tuple[Grant, Used | None]] = field(default_factory=list)
    """What calls took of the rate limit; None: nothing. Of lost ones nobody knows, so what they reserved is gone."""
    learned: list[tuple[Asked, Used]] = field(default_factory=list)
    headers: Mapping[str, str] = field(default_factory=dict)
    """Of the last answer."""


def rules(lane: Lane) -> ledger.Rules:
    """How often a lane's items are tried."""
    return ledger.Rules(lane.max_attempts, lane.max_maybe_billed, escalation.rule(lane))


class Recorder:
    """What came and isn't written yet, of one run of the stage."""

    def __init__(self, expected: dict[tuple[str, str], Expected]) -> None:
        self._unrecorded: list[Done] = []
        self._expected = expected
        self._keyless_said_at = -math.inf
        self.recorded = 0

    @property
    def has_unrecorded(self) -> bool:
        """Whether something isn't written yet."""
        return bool(self._unrecorded)

    @property
    def unrecorded(self) -> set[tuple[int, int]]:
        """Claim and item of what isn't written yet."""
        return {answer.request.call for answer in self._unrecorded}

    def add(self, done: Sequence[Done]) -> None:
        """More that came."""
        self._unrecorded += done

    def refuse(self, request: Request, why: str, problem: Problem = Problem.ERRORED) -> None:
        """A request that can never be sent."""
        self.add([Done(request, Reply(413, False, text=why), problem)])

    def record(self) -> list[HandOver]:
        """Write what came. Returns what is to be handed over. Raises TransientError: then the rest is kept.

        Answers whose encryption key isn't there are kept, too, until it is: they are paid, and can't be looked up.
        """
        hand_over: list[HandOver] = []
        by_claim: dict[int, list[Done]] = {}
        for answer in self._unrecorded:
            by_claim.setdefault(answer.request.claim.id, []).append(answer)
        for done in by_claim.values():
            try:
                hand_over += self._record_one_by_one(done)
            except NoKey as error:
                self._wait_for_key(done[0].request.claim, error)
                continue
            pulse.lanes_went(routes.DIRECT, (done[0].request.claim.place.lane,), {})
            written = {id(answer) for answer in done}
            self._unrecorded = [answer for answer in self._unrecorded if id(answer) not in written]
            self.recorded += len(done)
            counted.items(routes.DIRECT, len(done))
        return hand_over

    def _wait_for_key(self, claim: Claim, error: NoKey) -> None:
        if time.monotonic() - self._keyless_said_at > _SAID_EVERY_S:
            self._keyless_said_at = time.monotonic()
            pulse.lanes_went(routes.DIRECT, (), {claim.place.lane: str(error)})

    def _tell_limiter(self, group: _Group) -> None:
        """What calls took, and what the API said of its limits."""
        place = group.claim.place
        limiter.settle(group.settled)
        if group.headers:
            limiter.observe(place.workspace, place.model, group.headers)
        limited = [pause for pause in group.pauses if pause.is_limit]
        if limited:
            asked = [pause.pause_s for pause in limited if pause.pause_s is not None]
            limiter.throttled(place.workspace, place.model, max(asked, default=None))
        expected = self._expected.setdefault((place.lane, place.model), Expected())
        for asked_for, used in group.learned:
            expected.learn(asked_for, used)

    def _record_one_by_one(self, done: Sequence[Done]) -> list[HandOver]:
        """Together; where the ledger can't take that, each alone, so that no answer keeps others from being written."""
        group = _judge(done)
        try:
            return self._write(group)
        except (TransientError, NoKey):
            raise
        except Exception:
            log.exception("answers can't be recorded together", claim_id=group.claim.id, items=len(done))
        if len(done) > 1:
            return [recorded for each in done for recorded in self._record_one_by_one([each])]
        (item,) = (answer.request.asked.item_id for answer in done)
        log.error("an answer can't be recorded: it may have been billed", item_id=item)
        return self._write(_Group(group.claim, lost={item: "an answer came that can't be recorded: see the log"}))

    def _write(self, group: _Group) -> list[HandOver]:
        claim, lane = group.claim, settings().lane(group.claim.place.lane)
        has_prefixes = any(arrival.cache_read_tokens or arrival.cache_write_5m_tokens for arrival in group.arrivals)
        source = Source(claim.id, claim.number, None, only_live=True, via="direct", has_prefixes=has_prefixes)
        newly_held, tries = False, rules(lane)
        with process.database().quick() as connection:
            targets = deliveries.targets_in_the_clear(connection, paced_brokers())
            recorded = ledger.record(
                connection,
                source,
                group.arrivals,
                group.lost,
                process.prices(),
                tries,
                claim=targets.keys(),
                lease_s=deliver.LEASE_S,
            )
            claimed = recorded_and_claimed(connection, source, group.arrivals, recorded)
            for pause in group.pauses:
                pauses.pause(connection, claim.place, pause.why, pause_s=_pause_s(pause))
            for hold in group.holds[:1]:
                newly_held = workspaces.hold(
                    connection, claim.place.workspace, hold.why, until_resumed=hold.until_resumed
                )
        self._say(group, recorded.paid_twice, newly_held=newly_held)
        self._tell_limiter(group)
        answer_spans.write(source, group.arrivals)
        if recorded.due:
            doorbell.ring(routes.DELIVER)
        return [HandOver(targets[target_id], due) for target_id, due in claimed.items()]

    def _say(self, group: _Group, paid_twice: int, *, newly_held: bool) -> None:
        place = group.claim.place
        if newly_held:
            log.error("workspace held", workspace=place.workspace, why=group.holds[0].why)
        if paid_twice:
            log.error("paid twice", claim_id=group.claim.id, items=paid_twice)
        for item_id, why in group.lost.items():
            log.error(
                "it may have been billed, and no answer came", item_id=item_id, lane=place.lane, why=without_answer(why)
            )
        if group.pauses:
            log.warning(
                "not taken: it waits",
                model=place.model,
                workspace=place.workspace,
                items=len(group.pauses),
                why=group.pauses[0].why,
            )


def _pause_s(refusal: NotTaken) -> float:
    if refusal.pause_s is not None:
        return min(refusal.pause_s, LONGEST_PAUSE_S)
    return _LIMITED_S if refusal.is_limit else _PAUSE_S


def _judge(done: Sequence[Done]) -> _Group:
    """What calls of one claim mean for their items."""
    group = _Group(done[0].request.claim)
    for answer in done:
        asked, verdict = answer.request.asked, classify(answer.reply)
        used: Used | None = None
        match verdict:
            case Answered(line):
                check = None if asked.schema_id is None else check_of(asked.schema_id)
                group.arrivals.append(arrival(asked.item_id, line, process.prices(), check, batch=False))
                used = used_by(group.arrivals[-1])
                group.learned.append((asked, used))
            case NotTaken():
                group.arrivals.append(_waits(asked.item_id, verdict.why))
                group.pauses.append(verdict)
            case HoldWorkspace():
                group.arrivals.append(_waits(asked.item_id, verdict.why))
                group.holds.append(verdict)
            case Refused(why):
                group.arrivals.append(Arrival(asked.item_id, Fate.FAIL_OWN, problem=answer.problem, detail=why))
            case Lost(why):
                group.lost[asked.item_id] = why
        if answer.request.grant is not None and not isinstance(verdict, Lost):
            group.settled.append((answer.request.grant, used))
        group.headers = answer.reply.headers or group.headers
    return group


def _waits(item_id: int, why: str) -> Arrival:
    return Arrival(item_id, Fate.WAIT_OWN, problem=Problem.ERRORED, detail=why, retryable=True)
