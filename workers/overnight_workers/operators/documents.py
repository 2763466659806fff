"""What operators see, as JSON: the same from every command and from Flower.

Durations are seconds; money is dollars as exact decimal strings, in names that end in `_usd`, as in an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from overnight_models.wire.outcome import dollars
from overnight_workers import redaction

if TYPE_CHECKING:
    from overnight_models.ledger.operators.item_views import ItemView
    from overnight_models.ledger.operators.overview import BatchView, LaneView
    from overnight_models.ledger.roads.kept import Kept
    from overnight_workers.operators.alarm_kinds import Alarm
    from overnight_workers.operators.life_lines import LifeLine


def money(cost_nano: int, realtime_nano: int) -> dict[str, str]:
    """What was billed, what it would have been in real time, and the difference."""
    return {
        "cost_usd": dollars(cost_nano),
        "realtime_cost_usd": dollars(realtime_nano),
        "saved_usd": dollars(realtime_nano - cost_nano),
    }


def alarm(alarm_: Alarm) -> dict[str, object]:
    """An alarm that is on."""
    return {"alarm": alarm_.kind, "urgent": alarm_.urgent, "text": alarm_.text, "do": alarm_.do}


def lane(view: LaneView) -> dict[str, object]:
    """A lane, with its items, batches and deliveries by state."""
    return {
        "lane": view.lane,
        "paused_reason": view.paused_reason,
        "items": view.items,
        "batches": view.batches,
        "deliveries": view.deliveries,
        "oldest_waiting_s": view.oldest_waiting_s,
        "unmeasured": view.unmeasured,
        "paid_twice": view.paid_twice,
        "unpriced": view.unpriced,
        "deadlines": kept(view.deadlines),
        **money(view.cost_nano, view.realtime_nano),
    }


def kept(deadlines: Kept) -> dict[str, object]:
    """What became of a lane's deadlines, and what rescuing them cost."""
    return {
        "met": deadlines.met,
        "missed": deadlines.missed,
        "rescued": deadlines.rescued,
        "rescued_usd": dollars(deadlines.rescued_nano),
        "doubles": deadlines.doubles,
        "doubles_usd": dollars(deadlines.doubles_nano),
    }


def batch(view: BatchView) -> dict[str, object]:
    """A batch."""
    shown = {name: value for name, value in vars(view).items() if not name.endswith("_nano")}
    return {**shown, "packed_at": view.packed_at.isoformat(), **money(view.cost_nano, view.realtime_nano)}


def item(row: ItemView, life: Sequence[LifeLine] | None = None) -> dict[str, object]:
    """An item, without its message; with its life, where that is given."""
    from overnight_workers.operators import item_roads  # `overnight status` needs no item

    names = ("key", "lane", "state", "tenant", "run", "problem", "detail", "held", "attempts", "trace_id", "via")
    return {
        "item_id": str(row.receipt),
        **{name: getattr(row, name) for name in names},
        "detail": row.detail and redaction.text(row.detail),
        "batch": row.batch_id,
        "api_batch_id": row.api_batch_id,
        "road": item_roads.reasons([row])[0],
        "model": row.model or row.asked_model,
        "model_why": row.model_why,
        "deadline": None if row.deadline is None else row.deadline.isoformat(),
        "enqueued_at": row.enqueued_at.isoformat(),
        "finished_at": None if row.finished_at is None else row.finished_at.isoformat(),
        "cost_usd": None if row.cost_nano is None else dollars(row.cost_nano),
        "realtime_cost_usd": None if row.realtime_nano is None else dollars(row.realtime_nano),
        "delivery": None
        if row.delivery is None
        else {
            "state": row.delivery,
            "queue": row.delivery_queue,
            "broker": row.delivery_broker,
            "tries": row.delivery_tries,
            "error": row.delivery_error and redaction.text(row.delivery_error),
        },
    } | ({} if life is None else {"life": [life_line(line) for line in life]})


def life_line(line: LifeLine) -> dict[str, object]:
    """One thing that happened to an item; `at` is null when that, or when it will be, isn't known."""
    return {"at": line.at, "what": line.text, "batch_id": line.batch_id, "item_id": line.item_id}
