"""The ledger as JSON: what `/api/batches` answers."""

from __future__ import annotations

from typing import Any

from overnight_models.ledger.operators.overview import BatchView, LaneView
from overnight_models.wire.outcome import dollars
from overnight_workers.operators.snapshot import Look
from overnight_workers.settings import Settings


def document(look: Look, settings: Settings) -> dict[str, Any]:
    """A look as a JSON document. Durations are seconds, money is dollars as decimal strings, as in an outcome."""
    seen = look.snapshot
    if seen is None:
        return {"at": None, "fault": look.fault}
    return {
        "at": seen.at.isoformat(),
        "fault": look.fault,
        "alarms": [
            {"alarm": alarm.kind, "urgent": alarm.urgent, "text": alarm.text, "do": alarm.do}
            for alarm in seen.alarms(settings)
        ],
        "lanes": [_lane(lane) for lane in seen.lanes],
        "batches": [_batch(batch) for batch in (*seen.unfinished, *seen.finished)],
        "turnarounds": [vars(found) for found in seen.turnarounds.values()],
        "workspaces": [
            {"name": one.name, "held_for_s": one.held_for_s, "held_reason": one.held_reason} for one in seen.workspaces
        ],
        "dead_deliveries": [vars(one) for one in seen.dead],
        "money": {
            **_money(sum(lane.cost_nano for lane in seen.lanes), sum(lane.realtime_nano for lane in seen.lanes)),
            "unpriced": sum(lane.unpriced for lane in seen.lanes),
        },
    }


def _money(cost_nano: int, realtime_nano: int) -> dict[str, str]:
    return {
        "cost_usd": dollars(cost_nano),
        "realtime_cost_usd": dollars(realtime_nano),
        "saved_usd": dollars(realtime_nano - cost_nano),
    }


def _lane(lane: LaneView) -> dict[str, object]:
    return {
        "lane": lane.lane,
        "paused_reason": lane.paused_reason,
        "items": lane.items,
        "batches": lane.batches,
        "deliveries": lane.deliveries,
        "oldest_waiting_s": lane.oldest_waiting_s,
        "unmeasured": lane.unmeasured,
        "paid_twice": lane.paid_twice,
        "unpriced": lane.unpriced,
        **_money(lane.cost_nano, lane.realtime_nano),
    }


def _batch(batch: BatchView) -> dict[str, Any]:
    shown = {name: value for name, value in vars(batch).items() if not name.endswith("_nano")}
    return {**shown, "packed_at": batch.packed_at.isoformat(), **_money(batch.cost_nano, batch.realtime_nano)}
