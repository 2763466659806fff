"""Why an item takes its road, or took it; what that costs or saves; and by how much it was late, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from overnight_models.quantities import money, spoken


@dataclass(frozen=True, slots=True)
class Told:
    """What the ledger says of one item."""

    state: str
    deadline: datetime | None
    batch_chance: int | None
    """In percent, how likely a batch was in time when that was decided."""
    to_be_sent: bool
    """In real time, now or soon."""
    in_batch: bool
    via: str | None
    """The road that brought its outcome; None until it is there."""
    problem: str | None
    finished_at: datetime | None
    half_nano: int | None
    """What a batch saves of it: of its bill, or as is expected; None when that isn't known."""
    took_s: float | None
    """How long its batch took at Anthropic, or runs already."""
    held: str | None = None
    """What keeps it back."""


def why(item: Told, now: datetime) -> str:
    """In a few words: "batch: 98% likely by 10:00, saves $0.0041"."""
    parts = [_road(item)]
    if item.deadline is not None:
        over_s = ((item.finished_at or now) - item.deadline).total_seconds()
        if over_s > 0:
            parts.append(f"{'missed' if item.finished_at else 'late'} by {spoken(over_s)}{_because(item)}")
    return "; ".join(part for part in parts if part)


def _road(item: Told) -> str:
    by = "" if item.deadline is None else f"{item.deadline:%Y-%m-%d %H:%M} UTC"
    likely = "" if item.batch_chance is None else f"{_percent(item.batch_chance)} likely"
    if item.problem == "too_late":
        return "not sent, and nothing paid"
    if item.via == "direct" or (item.via is None and (item.to_be_sent or item.state in ("direct", "racing"))):
        costs = "" if item.half_nano is None else f", costs {money(item.half_nano)} more"
        if item.in_batch:
            return f"real time: its batch is too slow{by and f' for {by}'}{costs}"
        return f"real time: {f'a batch is {likely} by {by}' if likely else 'so its lane says'}{costs}"
    if item.via is None and item.state not in ("waiting", "held", "batched", "following"):
        return ""
    saves = "" if item.half_nano is None else f"saves {money(item.half_nano)}"
    words = ", ".join(part for part in (f"{likely} by {by}" if likely else by and f"wanted by {by}", saves) if part)
    return f"batch: {words}" if words else "batch"


def _percent(chance: int) -> str:
    """Nothing here is certain, nor impossible."""
    return "more than 99%" if chance > 99 else "less than 1%" if chance < 1 else f"{chance}%"


def _because(item: Told) -> str:
    if item.problem == "too_late":
        return ""
    if item.held is not None:
        return f": {item.held}"
    if item.in_batch and item.took_s is not None:
        return f": its batch {'took' if item.via == 'batch' else 'runs for'} {spoken(item.took_s)}"
    if item.via == "direct" or item.to_be_sent or item.state == "direct":
        return ": it waited for the rate limit, for a worker, or for another try"
    return ": it waited for a batch" if item.state == "waiting" else ""
