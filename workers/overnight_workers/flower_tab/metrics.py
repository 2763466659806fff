"""Prometheus metrics from the ledger, beside Flower's own in `/metrics`.

Prometheus asks on Flower's event loop, so nothing is read then: what is told is the last look at the ledger. What only
grows is a counter; its sum is kept in the ledger, so it goes on where it was when Flower is started again. Labels have
few values: names of the configuration, and words of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from overnight_models.ledger import counters
from overnight_models.ledger.money.budgets import BudgetView
from overnight_models.ledger.operators.overview import LaneView
from overnight_models.states import BATCH, DELIVERY, ITEM, Life
from overnight_models.wire.outcome import Problem
from overnight_workers.flower_tab.reading import Reader
from overnight_workers.operators import limits_used
from overnight_workers.operators.alarm_kinds import KINDS
from overnight_workers.operators.snapshot import Snapshot
from overnight_workers.settings import settings

LOOK_EVERY_S: Final = 10.0
_TOLD_FOR_S: Final = 60.0
"""An older look is no longer told as if it were now."""
_MOST_BUDGETS: Final = 200
"""Of lanes and tenants; those of runs, of which there may be thousands, are in no metric."""
_NANO: Final = 1e9

_LANE_COUNTERS: Final[Mapping[str, tuple[str, Callable[[LaneView], float]]]] = {
    "overnight_cost_dollars": ("What was billed", lambda lane: lane.cost_nano / _NANO),
    "overnight_realtime_cost_dollars": (
        "What the same would have cost in real time",
        lambda lane: lane.realtime_nano / _NANO,
    ),
    "overnight_paid_twice_answers": (
        "Answers that were billed though their item had one",
        lambda lane: lane.paid_twice,
    ),
    "overnight_unpriced_answers": (
        "Answers in no sum of money: their model has no price",
        lambda lane: lane.unpriced,
    ),
}
_LANE_GAUGES: Final[Mapping[str, tuple[str, Callable[[LaneView], float]]]] = {
    "overnight_oldest_waiting_seconds": (
        "How long the oldest waiting item has waited",
        lambda lane: lane.oldest_waiting_s or 0.0,
    ),
    "overnight_unmeasured_items": (
        "Waiting items whose prompts have to be counted first",
        lambda lane: lane.unmeasured,
    ),
    "overnight_lane_paused": ("1 while its items are not sent", lambda lane: lane.paused_reason is not None),
}
_BUDGETS: Final[Mapping[str, tuple[str, Callable[[BudgetView], int]]]] = {
    "overnight_budget_cap_dollars": ("What may be spent in the present period", lambda budget: budget.cap_nano),
    "overnight_budget_spent_dollars": ("What was billed in the present period", lambda budget: budget.spent_nano),
    "overnight_budget_reserved_dollars": ("What is kept for items on their way", lambda budget: budget.reserved_nano),
}


class LedgerMetrics(Collector):
    """Metrics of the reader's last look."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[Metric]:
        """Every metric; without a recent look only that there is none."""
        seen = self._reader.latest.snapshot
        recent = seen is not None and (datetime.now(UTC) - seen.at).total_seconds() <= _TOLD_FOR_S
        yield GaugeMetricFamily("overnight_ledger_up", "1 if the ledger was read in the last minute", value=recent)
        if seen is not None and recent:
            yield from metrics(seen)

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering needs no look at the ledger."""
        return []


def metrics(seen: Snapshot) -> Iterator[Metric]:
    """What one look at the ledger and at Redis says."""
    yield from _by_state(seen)
    yield from _by_lane(seen)
    yield from _workspaces(seen)
    yield from _stages(seen)
    yield from _budgets(seen)
    yield from _deadlines(seen)
    yield from _limits(seen)
    yield from _counted(seen)
    yield from _plan_errors(seen)
    yield from _relays(seen)
    yield _alarms(seen)


def _alarms(seen: Snapshot) -> Metric:
    gauge = GaugeMetricFamily("overnight_alarms", "Alarms that are on", labels=["alarm", "urgent"])
    on = [alarm.kind for alarm in seen.alarms(settings())]
    for kind, about in KINDS.items():
        gauge.add_metric([kind, str(about.urgent).lower()], on.count(kind))
    return gauge


def _by_state(seen: Snapshot) -> Iterator[Metric]:
    kinds: tuple[tuple[str, Life], ...] = (("items", ITEM), ("batches", BATCH), ("deliveries", DELIVERY))
    for noun, life in kinds:
        gauge = GaugeMetricFamily(f"overnight_{noun}", f"{noun.capitalize()} by state", labels=["lane", "state"])
        for lane in seen.lanes:
            counts: dict[str, int] = getattr(lane, noun)
            for state in life.states:
                gauge.add_metric([lane.lane, state], counts.get(state, 0))
        yield gauge


def _by_lane(seen: Snapshot) -> Iterator[Metric]:
    for name, (about, value) in _LANE_COUNTERS.items():
        counter = CounterMetricFamily(name, about, labels=["lane"])
        for lane in seen.lanes:
            counter.add_metric([lane.lane], value(lane))
        yield counter
    for name, (about, value) in _LANE_GAUGES.items():
        gauge = GaugeMetricFamily(name, about, labels=["lane"])
        for lane in seen.lanes:
            gauge.add_metric([lane.lane], value(lane))
        yield gauge
    failures = CounterMetricFamily("overnight_failures", "Outcomes that aren't ok", labels=["lane", "problem"])
    for lane in seen.lanes:
        for problem in Problem:
            failures.add_metric([lane.lane, problem], lane.problems.get(problem, 0))
    yield failures


def _workspaces(seen: Snapshot) -> Iterator[Metric]:
    held = GaugeMetricFamily("overnight_workspace_held", "1 while nothing is sent to it", labels=["workspace"])
    listed = GaugeMetricFamily(
        "overnight_list_age_seconds",
        "Since all that was asked of its list of batches could be read",
        labels=["workspace"],
    )
    queued = GaugeMetricFamily(
        "overnight_api_queue_requests", "Requests that are in the API's queue, or may be", labels=["workspace"]
    )
    for workspace in seen.workspaces:
        held.add_metric([workspace.name], workspace.held_for_s is not None)
        queued.add_metric([workspace.name], workspace.queued)
        if workspace.read_s is not None:
            listed.add_metric([workspace.name], workspace.read_s)
    yield from (held, listed, queued)


def _stages(seen: Snapshot) -> Iterator[Metric]:
    age = GaugeMetricFamily(
        "overnight_stage_age_seconds", "Since a stage last ran; the sweep is overnight.rescue", labels=["stage"]
    )
    work = GaugeMetricFamily(
        "overnight_stage_work_seconds", "Since when there is work for a stage; 0: there is none", labels=["stage"]
    )
    failing = GaugeMetricFamily(
        "overnight_stage_failures", "Things that a stage fails at for reasons of our own", labels=["stage"]
    )
    failures = Counter(failure.stage for failure in seen.troubles.failures)
    for pulse in seen.troubles.pulses:
        failing.add_metric([pulse.stage], failures.pop(pulse.stage, 0))
        work.add_metric([pulse.stage], pulse.work_s or 0.0)
        if pulse.silent_s is not None:
            age.add_metric([pulse.stage], pulse.silent_s)
    for stage, failed in failures.items():
        failing.add_metric([stage], failed)
    depth = GaugeMetricFamily("overnight_queue_messages", "Messages that wait in Redis", labels=["queue"])
    if seen.redis is not None:
        for queue, length in seen.redis.queues.items():
            depth.add_metric([queue], length)
        yield GaugeMetricFamily(
            "overnight_redis_up", "1 if Overnight's own Redis is well", value=seen.redis.fault is None
        )
    yield from (age, work, failing, depth)


def _budgets(seen: Snapshot) -> Iterator[Metric]:
    known = [budget for budget in seen.troubles.budgets if budget.of != "run"][:_MOST_BUDGETS]
    for name, (about, nano) in _BUDGETS.items():
        gauge = GaugeMetricFamily(name, about, labels=["of", "name", "period"])
        for budget in known:
            gauge.add_metric([budget.of, budget.name, budget.period], nano(budget) / _NANO)
        yield gauge


def _limits(seen: Snapshot) -> Iterator[Metric]:
    names = ["workspace", "pool", "limit"]
    used = GaugeMetricFamily(
        "overnight_rate_limit_used_ratio", "How much of a limit a minute is used; 1: all of it", labels=names
    )
    used_up = GaugeMetricFamily(
        "overnight_rate_limit_used_up", "1 if requests had to wait for it in the last ten seconds", labels=names
    )
    for workspace, pool, limit, share, is_used_up in limits_used.shares(seen):
        used.add_metric([workspace, pool, limit], share)
        used_up.add_metric([workspace, pool, limit], is_used_up)
    waiting = GaugeMetricFamily(
        "overnight_rate_limited_items", "Items that wait for a limit; a thousand of a lane at most", labels=names[:2]
    )
    for view in limits_used.limits(seen):
        waiting.add_metric([view.use.workspace, view.use.pool], view.items)
    yield from (used, used_up, waiting)


def _counted(seen: Snapshot) -> Iterator[Metric]:
    done = CounterMetricFamily("overnight_stage_items", "Items that a stage has done", labels=["stage"])
    calls = CounterMetricFamily(
        "overnight_api_calls",
        "Calls of the API; status: of HTTP, or that no answer came that can be read",
        labels=["call", "status"],
    )
    for counter in seen.counters:
        if counter.name == counters.STAGE_ITEMS:
            done.add_metric([counter.label], counter.n)
        elif counter.name == counters.API_CALLS:
            call, _, status = counter.label.partition(" ")
            calls.add_metric([call, status], counter.n)
    yield from (done, calls, _turnarounds(seen))


def _turnarounds(seen: Snapshot) -> Metric:
    took = HistogramMetricFamily(
        "overnight_batch_turnaround_seconds", "How long the API took for a batch", labels=["lane"]
    )
    by_lane: dict[str, dict[str, int]] = {}
    seconds: dict[str, float] = {}
    for counter in seen.counters:
        if counter.name == counters.TURNAROUND and counter.lane is not None:
            by_lane.setdefault(counter.lane, {})[counter.label] = counter.n
            seconds[counter.lane] = seconds.get(counter.lane, 0.0) + counter.amount / 1000
    for lane, batches in by_lane.items():
        up_to = accumulate(batches.get(bound, 0) for bound in counters.TURNAROUND_BOUNDS)
        took.add_metric([lane], list(zip(counters.TURNAROUND_BOUNDS, up_to, strict=True)), seconds[lane])
    return took


def _plan_errors(seen: Snapshot) -> Iterator[Metric]:
    gauge = GaugeMetricFamily(
        "overnight_plan_error_ratio",
        "By how much the bills of the latest runs were above their plans; -0.1: a tenth below",
        labels=["lane"],
    )
    for error in seen.plan_errors:
        gauge.add_metric([error.lane], error.ratio)
    yield gauge


def _relays(seen: Snapshot) -> Iterator[Metric]:
    waiting = GaugeMetricFamily("overnight_relay_messages", "Messages in its inbox", labels=["relay", "state"])
    oldest = GaugeMetricFamily(
        "overnight_relay_oldest_seconds", "How long the first message that waits has waited", labels=["relay"]
    )
    silent = GaugeMetricFamily("overnight_relay_silent_seconds", "Since it last said something", labels=["relay"])
    items = CounterMetricFamily("overnight_relay_items", "Items that were taken on", labels=["relay"])
    for relay in seen.troubles.relays:
        waiting.add_metric([relay.name, "waiting"], relay.waiting)
        waiting.add_metric([relay.name, "aside"], relay.aside)
        oldest.add_metric([relay.name], relay.oldest_s)
        silent.add_metric([relay.name], relay.silent_s)
        items.add_metric([relay.name], relay.items)
    yield from (waiting, oldest, silent, items)


def _deadlines(seen: Snapshot) -> Iterator[Metric]:
    kept = CounterMetricFamily(
        "overnight_deadlines", "Items with a deadline, by what became of it", labels=["lane", "kept"]
    )
    rescues = CounterMetricFamily(
        "overnight_rescue_dollars",
        "What rescued items cost in real time, and their second answers",
        labels=["lane", "answer"],
    )
    for lane in seen.lanes:
        for name in ("met", "missed", "rescued"):
            kept.add_metric([lane.lane, name], getattr(lane.deadlines, name))
        rescues.add_metric([lane.lane, "kept"], lane.deadlines.rescued_nano / _NANO)
        rescues.add_metric([lane.lane, "dropped"], lane.deadlines.doubles_nano / _NANO)
    at_risk = GaugeMetricFamily(
        "overnight_deadlines_at_risk", "Items that pass their deadline now", labels=["lane", "where"]
    )
    for late in seen.troubles.late:
        at_risk.add_metric([late.lane, late.where], late.items)
    limited = GaugeMetricFamily(
        "overnight_rate_limited_seconds",
        "Since when it waits for its limit again and again",
        labels=["workspace", "model"],
    )
    for limit in seen.troubles.limited:
        limited.add_metric([limit.workspace, limit.model], limit.since_s)
    yield from (kept, rescues, at_risk, limited)
