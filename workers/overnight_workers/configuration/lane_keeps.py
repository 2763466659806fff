"""What a lane says of how long its things are kept, from their outcomes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from overnight_models.quantities import spoken
from overnight_workers.configuration.kinds import duration, optional
from overnight_workers.configuration.reading import Faults, setting

_DAY_S: Final = 86_400.0
_MONTHS_S: Final = 93 * _DAY_S
"""Budgets of a month, and batches whose results may still come, need what is younger."""


@dataclass(frozen=True, kw_only=True)
class LaneKeeps:
    """The options of `[lanes.NAME]` about retention. None: for ever."""

    keep_deliveries: float | None = setting(optional(duration(_DAY_S)), None)
    """Deliveries that were taken, which can be replayed so long."""
    keep_bodies: float | None = setting(optional(duration(_DAY_S)), None)
    """Requests and answers, which can be read, and tried again, so long."""
    keep_outcomes: float | None = setting(optional(duration(_DAY_S)), None)
    """Items with their state, problem and own bill."""
    keep_keys: float | None = setting(optional(duration(_DAY_S)), None)
    """Keys: so long the same request isn't bought again."""
    delete_batches: float | None = setting(optional(duration(3600.0, 28 * _DAY_S)), None)
    """Batches at Anthropic: so long after their end they are deleted there, if all is collected and delivered. None:
    Anthropic deletes them after 29 days. Longer than any backup that you would go back to is old."""
    keep_money: float | None = setting(optional(duration(_MONTHS_S)), None)
    """Sums of what was spent, plans beside their bills, and batches."""


_ORDER: Final = ("keep_deliveries", "keep_bodies", "keep_outcomes", "keep_keys"), ("keep_outcomes", "keep_money")
_WHY: Final = {
    "keep_deliveries": "what is replayed needs its answer",
    "keep_bodies": "a request or an answer is of an outcome",
    "keep_outcomes": "keys and money outlive them: nothing is bought twice, and no sum is forgotten",
}


def keeps_fit(lanes: Mapping[str, LaneKeeps], faults: Faults) -> None:
    """Whatever needs another thing isn't kept longer than that."""
    for name, lane in lanes.items():
        for shorter, longer in (pair for order in _ORDER for pair in pairwise(order)):
            kept_s, limit_s = getattr(lane, shorter), getattr(lane, longer)
            if not (faults.is_right("lanes", name, shorter) and faults.is_right("lanes", name, longer)):
                continue
            if limit_s is not None and (kept_s is None or kept_s > limit_s):
                said = "for ever" if kept_s is None else spoken(kept_s)
                why = f"{said} is longer than {longer} ({spoken(limit_s)}): {_WHY[shorter]}"
                faults.add(("lanes", name, shorter), why)
