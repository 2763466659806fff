"""What a lane says of its roads: deadlines, rescue, the hours and the sizes of its batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from overnight_workers.configuration.kinds import duration, one_of, optional, share, whole
from overnight_workers.configuration.reading import setting
from overnight_workers.configuration.submit_window import SubmitWindow, read_window


@dataclass(frozen=True, kw_only=True)
class LaneRoads:
    """The options of `[lanes.NAME]` about its roads."""

    road: Literal["batch", "direct", "by_deadline"] = setting(one_of("batch", "direct", "by_deadline"), "batch")
    """In batches at half price, each item in real time at the full price, or as each item's deadline asks for."""
    max_maybe_billed: int = setting(whole(0, 100), 1)
    """How often an item is sent again in real time after a call that may have been billed and brought no answer."""
    deadline: float | None = setting(optional(duration(1)), None)
    """By when the answer of an item is wanted that says no deadline of its own, from when it is accepted."""
    deadline_confidence: float = setting(share(0.5, 0.999), 0.95)
    """A lane by deadline batches what is in time with this chance, as earlier batches took; the rest goes direct."""
    rescue: Literal["off", "race", "cancel_first"] = setting(one_of("off", "race", "cancel_first"), "race")
    """A batch runs and a deadline is at risk: nothing; sent in real time too, and the first answer is kept; or the
    batch is canceled, and what it hasn't answered is sent in real time when it has ended."""
    submit_window: SubmitWindow | None = setting(optional(read_window), None)
    """Batches are packed in these hours only, as "22:00-06:00 America/Los_Angeles"; at any when a deadline needs it."""
    target_batches: int | None = setting(optional(whole(1, 1000)), None)
    """What waits is divided into so many batches; smaller ones end sooner. None: as few as they can be."""
    min_items: int = setting(whole(1), 1)
    """Fewer aren't worth a batch: `max_wait` doesn't pack them, only more of them or a deadline does."""
    max_calls: int | None = setting(optional(whole(1, 100_000)), None)
    """Calls of this lane under way at once in real time, in all workers together; None: as many as those may have."""
