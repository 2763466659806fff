"""What operators see, as JSON: the same from every command and from Flower.

Durations are seconds; money is dollars as exact decimal strings, in names that end in `_usd`, as in an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overnight_models.ledger.operators.overview import BatchView, LaneView
from overnight_models.ledger.roads.kept import Kept
from overnight_models.wire.outcome import dollars
from overnight_workers.operators import item_roads
from overnight_workers.operators.alarm_kinds import Alarm


def money(cost_nano: int, realtime_nano: int) -> dict[str, str]:
    """What was billed, what it would have been in real time, and the difference."""
    return {
        "cost_usd": dollars(cost_nano),
        "realtime_cost_usd": dollars(realtime_nano),
        "saved_usd": dollars(realtime_nano - cost_nano),
    }


def alarm(one: Alarm) -> dict[str, object]:
    """An alarm that is on."""
    return {"alarm": one.kind, "urgent": one.urgent, "text": one.text, "do": one.do}


def lane(one: LaneView) -> dict[str, object]:
    """A lane, with its items, batches and deliveries by state."""
    return {
        "lane": one.lane,
        "paused_reason": one.paused_reason,
        "items": one.items,
        "batches": one.batches,
        "deliveries": one.deliveries,
        "oldest_waiting_s": one.oldest_waiting_s,
        "unmeasured": one.unmeasured,
        "paid_twice": one.paid_twice,
        "unpriced": one.unpriced,
        "deadlines": kept(one.deadlines),
        **money(one.cost_nano, one.realtime_nano),
    }


def kept(one: Kept) -> dict[str, object]:
    """What became of a lane's deadlines, and what rescuing them cost."""
    return {
        "met": one.met,
        "missed": one.missed,
        "rescued": one.rescued,
        "rescued_usd": dollars(one.rescued_nano),
        "doubles": one.doubles,
        "doubles_usd": dollars(one.doubles_nano),
    }


def batch(one: BatchView) -> dict[str, Any]:
    """A batch."""
    shown = {name: value for name, value in vars(one).items() if not name.endswith("_nano")}
    return {**shown, "packed_at": one.packed_at.isoformat(), **money(one.cost_nano, one.realtime_nano)}


def item(row: Mapping[str, Any]) -> dict[str, Any]:
    """An item from a row of `overview.items`, without its message."""
    names = ("key", "lane", "state", "tenant", "run", "problem", "detail", "held", "attempts", "trace_id", "via")
    return {
        "item_id": str(row["receipt"]),
        **{name: row[name] for name in names},
        "batch": row["batch_id"],
        "api_batch_id": row["api_batch_id"],
        "road": item_roads.told([row])[0],
        "model": row["model"] or row["asked_model"],
        "model_why": row["model_why"],
        "deadline": None if row["deadline"] is None else row["deadline"].isoformat(),
        "enqueued_at": row["enqueued_at"].isoformat(),
        "finished_at": None if row["finished_at"] is None else row["finished_at"].isoformat(),
        "cost_usd": None if row["cost_nano"] is None else dollars(row["cost_nano"]),
        "realtime_cost_usd": None if row["realtime_nano"] is None else dollars(row["realtime_nano"]),
        "delivery": None
        if row["delivery"] is None
        else {
            "state": row["delivery"],
            "queue": row["delivery_queue"],
            "broker": row["delivery_broker"],
            "tries": row["delivery_tries"],
            "error": row["delivery_error"],
        },
    }
