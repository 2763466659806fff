"""Prometheus gauges from the ledger, beside Flower's own in `/metrics`.

Prometheus asks on Flower's event loop, so nothing is read then: what is told is the last look at the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from overnight_models.states import BATCH, DELIVERY, ITEM, Life
from overnight_workers.flower_tab.reading import Reader
from overnight_workers.operators.alarms import KINDS
from overnight_workers.operators.snapshot import Snapshot
from overnight_workers.settings import settings

LOOK_EVERY_S: Final = 10.0
_TOLD_FOR_S: Final = 60.0
"""An older look is no longer told as if it were now."""


class LedgerMetrics(Collector):
    """Gauges of the reader's last look."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Every gauge; without a recent look only that there is none."""
        seen = self._reader.latest.snapshot
        recent = seen is not None and (datetime.now(UTC) - seen.at).total_seconds() <= _TOLD_FOR_S
        yield GaugeMetricFamily("overnight_ledger_up", "1 if the ledger was read in the last minute", value=recent)
        if seen is not None and recent:
            yield from _by_state(seen)
            yield from _by_lane(seen)
            held = GaugeMetricFamily("overnight_workspace_held", "1 while nothing is sent to it", labels=["workspace"])
            for workspace in seen.workspaces:
                held.add_metric([workspace.name], workspace.held_for_s is not None)
            yield held
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
            yield from (at_risk, limited)
            yield _alarms(seen)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing, so that registering needs no look at the ledger."""
        return []


def _alarms(seen: Snapshot) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily("overnight_alarms", "Alarms that are on", labels=["alarm", "urgent"])
    on = [alarm.kind for alarm in seen.alarms(settings())]
    for kind, about in KINDS.items():
        gauge.add_metric([kind, str(about.urgent).lower()], on.count(kind))
    return gauge


def _by_state(seen: Snapshot) -> Iterator[GaugeMetricFamily]:
    kinds: tuple[tuple[str, Life], ...] = (("items", ITEM), ("batches", BATCH), ("deliveries", DELIVERY))
    for noun, life in kinds:
        gauge = GaugeMetricFamily(f"overnight_{noun}", f"{noun.capitalize()} by state", labels=["lane", "state"])
        for lane in seen.lanes:
            counts: dict[str, int] = getattr(lane, noun)
            for state in life.states:
                gauge.add_metric([lane.lane, state], counts.get(state, 0))
        yield gauge


def _by_lane(seen: Snapshot) -> Iterator[GaugeMetricFamily]:
    oldest = GaugeMetricFamily(
        "overnight_oldest_waiting_seconds", "How long the oldest waiting item has waited", labels=["lane"]
    )
    cost = GaugeMetricFamily("overnight_cost_dollars", "What was billed", labels=["lane"])
    saved = GaugeMetricFamily("overnight_saved_dollars", "What real time would have cost more", labels=["lane"])
    unpriced = GaugeMetricFamily(
        "overnight_unpriced_answers", "Answers in no sum of money: their model has no price", labels=["lane"]
    )
    unmeasured = GaugeMetricFamily(
        "overnight_unmeasured_items", "Waiting items whose prompts have to be counted first", labels=["lane"]
    )
    deadlines = GaugeMetricFamily(
        "overnight_deadlines", "Items with a deadline, by what became of it", labels=["lane", "kept"]
    )
    rescues = GaugeMetricFamily(
        "overnight_rescue_dollars",
        "What rescued items cost in real time, and their second answers",
        labels=["lane", "answer"],
    )
    paused = GaugeMetricFamily("overnight_lane_paused", "1 while its items are not sent", labels=["lane"])
    for lane in seen.lanes:
        oldest.add_metric([lane.lane], lane.oldest_waiting_s or 0.0)
        cost.add_metric([lane.lane], lane.cost_nano / 1e9)
        saved.add_metric([lane.lane], (lane.realtime_nano - lane.cost_nano) / 1e9)
        unpriced.add_metric([lane.lane], lane.unpriced)
        unmeasured.add_metric([lane.lane], lane.unmeasured)
        for name in ("met", "missed", "rescued"):
            deadlines.add_metric([lane.lane, name], getattr(lane.deadlines, name))
        rescues.add_metric([lane.lane, "kept"], lane.deadlines.rescued_nano / 1e9)
        rescues.add_metric([lane.lane, "dropped"], lane.deadlines.doubles_nano / 1e9)
        paused.add_metric([lane.lane], lane.paused_reason is not None)
    yield from (oldest, cost, saved, unpriced, unmeasured, deadlines, rescues, paused)
