"""The ledger as JSON: what `/api/batches` answers."""

from __future__ import annotations

from overnight_workers.operators import documents, limits_used
from overnight_workers.operators.snapshot import Look
from overnight_workers.settings import Settings


def document(look: Look, settings: Settings) -> dict[str, object]:
    """A look as a JSON document. Durations are seconds, money is dollars as decimal strings, as in an outcome."""
    seen = look.snapshot
    if seen is None:
        return {"at": None, "fault": look.fault}
    money = [(0, 0), *((lane.cost_nano, lane.realtime_nano) for lane in seen.lanes)]
    return {
        "at": seen.at.isoformat(),
        "fault": look.fault,
        "alarms": [documents.alarm(alarm) for alarm in seen.alarms(settings)],
        "lanes": [documents.lane(lane) for lane in seen.lanes],
        "batches": [documents.batch(batch) for batch in (*seen.unfinished, *seen.finished)],
        "turnarounds": [vars(turnaround) for turnaround in seen.turnarounds.values()],
        "workspaces": [
            {"name": workspace.name, "held_for_s": workspace.held_for_s, "held_reason": workspace.held_reason}
            for workspace in seen.workspaces
        ],
        "limits": limits_used.documents(seen),
        "dead_deliveries": [vars(delivery) for delivery in seen.dead],
        "money": {
            **documents.money(*(sum(column) for column in zip(*money, strict=True))),
            "unpriced": sum(lane.unpriced for lane in seen.lanes),
        },
    }
