"""What items of a lane wait for: that it is paused, its hours, or too long already."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from overnight_models.quantities import spoken

if TYPE_CHECKING:
    from overnight_models.ledger.operators.overview import LaneView
    from overnight_workers.settings import Lane

LATE_S: Final = 120.0
"""What takes seconds and is so late waits for a worker."""


def paused(lane: LaneView) -> str:
    """That a lane is paused, by whom, for how long and why."""
    return f"paused by {lane.paused_by or 'Overnight'} for {spoken(lane.paused_for_s)}: {lane.paused_reason}"


def closed_hours(policy: Lane) -> str | None:
    """That a lane packs in other hours than now, and when those begin; None when it may pack now."""
    opens_in_s = 0.0 if policy.submit_window is None else policy.submit_window.opens_in_s(datetime.now(UTC))
    return f"packed in its hours, {policy.submit_window}: in {spoken(opens_in_s)}" if opens_in_s > 0 else None


def is_overdue(lane: LaneView, policy: Lane) -> bool:
    """Whether `max_wait` should have packed it: not where a lane has its hours, or waits for more items."""
    may_wait = policy.submit_window is not None or policy.min_items > 1 or policy.road == "direct"
    return not may_wait and (lane.oldest_waiting_s or 0.0) > policy.max_wait + LATE_S
