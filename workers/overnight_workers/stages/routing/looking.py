"""Deadlines, looked at again in every sweep: of what waits, and of what runs.

What a sweep costs goes by the number of lanes and batches with deadlines, and by how many items are at risk; not by how
many wait.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, TypeGuard

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import UNSENT, Arrival, Fate
from overnight_models.ledger.names import models
from overnight_models.ledger.pack import pack
from overnight_models.ledger.roads import running, waiting
from overnight_models.ledger.roads.running import AtRisk, Risk, Running
from overnight_models.ledger.submit import unsent
from overnight_models.quantities import spoken
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.roads import memory
from overnight_workers.roads.decision import ONE_ANSWER_S
from overnight_workers.settings import Lane, settings
from overnight_workers.stages import doorbell
from overnight_workers.telemetry import logs

_AT_ONCE: Final = 2_000
_GROUPS: Final = 20
"""The rest is for the next sweep."""
AHEAD_S: Final = 60.0
"""Who must leave a batch within a minute is told so now: it needn't be looked at in every sweep."""
CANCEL_S: Final = 900.0
"""What is allowed for a canceled batch to end."""
_NOT_SENT: Final = ("packed", "submitting")
"""States of a batch that the API doesn't have yet. One that is being sent is looked at when it was, or wasn't."""
_SOONEST_S, _LATEST_S = 10.0, 300.0
"""Between two looks at a batch."""

log = logs.get(__name__)


def look() -> None:
    """Everything that deadlines ask for now."""
    given_up = _give_up()
    left = _leave()
    raced, late = _look_at_running()
    left += _take_out(late)
    if left or raced:
        doorbell.ring(routes.DIRECT)
    if given_up:
        doorbell.ring(routes.DELIVER)


def _give_up() -> int:
    """Items that nobody needs any more, and that nothing was paid for yet, fail."""
    total = 0
    for _ in range(_GROUPS):
        with process.database().transaction() as connection:
            late = waiting.of_no_use(connection, limit=_AT_ONCE)
            arrivals = [
                Arrival(item_id, Fate.FAIL, problem=Problem.TOO_LATE, detail="it wasn't sent before its `give_up_at`")
                for item_id in late
            ]
            if arrivals:
                outcomes.record(connection, UNSENT, arrivals, max_attempts=1)
        total += len(late)
        if len(late) < _AT_ONCE:
            break
    if total:
        log.warning("too late to be bought", items=total)
    return total


def _leave() -> int:
    """Waiting items that no batch brings home in time any more go in real time."""
    lanes = by_deadline()
    if not lanes:
        return 0
    total = 0
    with process.database().transaction() as connection:
        places = waiting.earliest(connection, list(lanes))
        amounts = (
            {(place.lane_id, place.headers_id): place.items for place in pack.waiting(connection)} if places else {}
        )
    for place in places:
        rules = lanes[place.lane]
        items = min(amounts.get((place.lane_id, place.headers_id), 1), rules.max_items)
        needs_s = memory.pace(rules, items).needs_s(items)
        for _ in range(_GROUPS if place.within_s < needs_s else 0):
            with process.database().transaction() as connection:
                left = waiting.leave(
                    connection,
                    place.lane_id,
                    place.headers_id,
                    needs_s=needs_s,
                    most_doubts=rules.max_maybe_billed,
                    limit=_AT_ONCE,
                )
            total += left
            if left < _AT_ONCE:
                break
    if total:
        log.info("no batch would be in time: real time", items=total)
    return total


def by_deadline() -> dict[str, Lane]:
    """The lanes whose items choose their road by deadline."""
    return {name: lane for name, lane in settings().lanes.items() if lane.road == "by_deadline"}


def _look_at_running() -> tuple[int, Mapping[int, float]]:
    """Batches that are under way while deadlines come nearer.

    Returns how many items are told to be sent in real time, and of which batches that aren't sent yet some may be too
    late: by number, those whose deadline is nearer than so many seconds.
    """
    total, late = 0, dict[int, float]()
    with process.database().transaction() as connection:
        under_way = running.to_look_at(connection)
        for batch in under_way:
            if batch.state in _NOT_SENT:
                lane = settings().lanes.get(batch.lane)
                needs_s = memory.pace(lane, batch.items).packed_needs_s(batch.items) if _is_by_deadline(lane) else 0.0
                running.look_again(connection, batch.batch_id, _soon((batch.within_s - needs_s) / 4))
                if batch.state == "packed" and batch.within_s < needs_s:
                    late[batch.batch_id] = needs_s
        sent = [batch for batch in under_way if batch.state not in _NOT_SENT]
        for workspace, batches in _by_workspace(sent).items():
            total += _rescue(connection, workspace, batches)
    if total:
        log.warning("deadlines at risk: sent in real time beside their batches", items=total)
    return total, late


def _take_out(needs: Mapping[int, float]) -> int:
    """What would be late in a batch that isn't sent yet leaves it: sent beside it, it would be paid twice."""
    left = 0
    for batch_id, needs_s in needs.items():
        with process.database().transaction() as connection:
            left += unsent.take_out(connection, batch_id, needs_s=needs_s)
    if left:
        log.warning("deadlines at risk: taken out of batches that aren't sent yet", items=left)
    return left


def _by_workspace(batches: Sequence[Running]) -> Mapping[str, list[Running]]:
    groups: defaultdict[str, list[Running]] = defaultdict(list)
    for batch in batches:
        groups[batch.workspace].append(batch)
    return groups


def _rescue(connection: Connection, workspace: str, batches: Sequence[Running]) -> int:
    """What of a workspace's batches is at risk, and is to be sent in real time: they share its rate limit."""
    lanes = settings().lanes
    wanted = {batch.batch_id: batch for batch in batches if _may_rescue(lanes.get(batch.lane))}
    for batch in batches:
        if batch.batch_id not in wanted:
            running.look_again(connection, batch.batch_id, _LATEST_S)
    if not wanted:
        return 0
    costs = memory.costs(models(connection), workspace)
    total = 0
    for rescue in ("race", "cancel_first"):
        chosen = [batch for batch in wanted.values() if lanes[batch.lane].rescue == rescue]
        risks = [_risk(batch, lanes[batch.lane]) for batch in chosen]
        answer_s = ONE_ANSWER_S + (CANCEL_S if rescue == "cancel_first" else 0.0)
        race = rescue == "race"
        at_risk = {
            risk.batch_id: risk
            for risk in running.at_risk(connection, risks, costs, answer_s=answer_s, ahead_s=AHEAD_S, race=race)
        }
        for batch in chosen:
            risk = at_risk.get(batch.batch_id)
            running.look_again(connection, batch.batch_id, _next_look_s(batch, risk))
            if risk is None or not risk.due:
                continue
            if race:
                total += risk.due
            else:
                _cancel(connection, batch, risk)
    return total


def _is_by_deadline(lane: Lane | None) -> TypeGuard[Lane]:
    return lane is not None and lane.road == "by_deadline"


def _may_rescue(lane: Lane | None) -> bool:
    return _is_by_deadline(lane) and lane.rescue != "off"


def _risk(batch: Running, lane: Lane) -> Risk:
    """For which deadlines a running batch isn't likely enough to be in time."""
    until_s = memory.pace(lane, batch.items).needs_s(batch.items, running_s=batch.running_s)
    return Risk(batch.batch_id, until_s, lane.max_maybe_billed)


def _next_look_s(batch: Running, risk: AtRisk | None) -> float:
    """When it is looked at next: the sooner the nearer the next thing is that may have to be done."""
    until_s = batch.within_s if risk is None else math.inf if risk.next_s is None else risk.next_s - AHEAD_S
    return _soon(until_s / 4)


def _soon(seconds: float) -> float:
    return min(max(seconds, _SOONEST_S), _LATEST_S)


def _cancel(connection: Connection, batch: Running, risk: AtRisk) -> None:
    """The whole batch is canceled; what it hasn't answered goes in real time when it has ended."""
    if batch.state != "open":
        return
    why = f"{risk.items:,} deadlines are at risk after {spoken(batch.running_s)}: canceled, to be sent in real time"
    if running.stop(connection, batch.batch_id, why):
        log.warning("a batch is canceled for its deadlines", batch_id=batch.batch_id, at_risk=risk.items)
