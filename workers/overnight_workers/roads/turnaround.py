"""How long batches take at Anthropic: as earlier ones did, or as others report."""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

from overnight_models.ledger.money.history import Turnaround

EXPIRES_S: Final = 24 * 3600.0
"""What isn't answered by then expires, unbilled, and is tried again."""
SURE: Final = 0.95

_SMALL_ITEMS, _SMALL_S = 1_000, 5 * 60.0
_LARGE_ITEMS, _LARGE_S = 100_000, 164 * 60.0
"""1,000 items in about 5 minutes and 100,000 in 2 h 44 min: reported by steadybatch, of the real API, once each."""
_FASTEST_S: Final = 3 * 60.0
"""A handful of items: 1.5 to 15 minutes in the few public reports."""
_SIGMA: Final = 1.0
"""Of the logarithm: the same size was seen to take 14 and 84 minutes on one day. 1 of 20 takes 5 times the median."""

OWN_ITEMS_PER_S: Final = 500
"""What Overnight itself takes in, sends and records in a second: measured with 4 KB items on 2 busy cores."""

_ENOUGH: Final = 8
"""Earlier batches from which is learned."""
_LIKE: Final = 4.0
"""Batches of a quarter to four times the size are alike."""
_DRAWS: Final = 1_000
_OFF_PEAK_H: Final = 6
"""Hours that are compared with the rest of the day."""


@dataclass(frozen=True, slots=True)
class Times:
    """When something is done, in seconds from its start: as likely earlier as later, and sure enough."""

    half_s: float
    sure_s: float
    """In 95 of 100 cases."""
    draws: tuple[float, ...]
    """Sorted."""

    def chance(self, within_s: float) -> float:
        """How likely it is done within so many seconds."""
        return sum(draw <= within_s for draw in self.draws) / len(self.draws)


def own_s(items: int) -> float:
    """How long Overnight itself is busy with so many items, beside the time that they are at Anthropic."""
    return items / OWN_ITEMS_PER_S


def prior_median_s(items: int) -> float:
    """Half of the batches of so many items take longer, by the few public reports."""
    slope = math.log(_LARGE_S / _SMALL_S) / math.log(_LARGE_ITEMS / _SMALL_ITEMS)
    return float(max(_SMALL_S * (max(items, 1) / _SMALL_ITEMS) ** slope, _FASTEST_S))


class Turnarounds:
    """What is known of turnarounds: a distribution for any size of batch."""

    def __init__(self, past: Sequence[Turnaround], items: int) -> None:
        """From earlier batches, those of about so many items if there are enough of them."""
        like = [batch for batch in past if 1 / _LIKE <= batch.items / max(items, 1) <= _LIKE]
        used = like if len(like) >= _ENOUGH else past if len(past) >= _ENOUGH else []
        self._residuals = sorted(math.log(batch.took_s / prior_median_s(batch.items)) for batch in used)
        self.is_learned = bool(used)
        self.basis = (
            f"learned from {len(used):,} earlier batches"
            + (" of about this size" if used is like else " of other sizes")
            if used
            else "assumed from public reports: 1,000 items in 5 min, 100,000 in 2 h 44 min, often several times that"
        )

    def chance(self, items: int, within_s: float, running_s: float = 0.0) -> float:
        """How likely a batch of so many items has ended within so many seconds.

        running_s: it runs for so long already, and hasn't ended. One that runs longer than any before it is not
        expected to end at all.
        """
        if within_s <= 0:
            return 0.0
        over = 1.0 - self._ended(items, running_s)
        return 0.0 if over <= 0 else (self._ended(items, running_s + within_s) - 1.0 + over) / over

    def sure_s(self, items: int, confidence: float = SURE, running_s: float = 0.0) -> float:
        """Within how many more seconds it has ended with this chance; as `chance` has it. Infinite where none do."""
        before = self._ended(items, running_s)
        if before >= 1.0:
            return math.inf
        wanted = before + confidence * (1.0 - before)
        if not self._residuals:
            residual = _SIGMA * NormalDist().inv_cdf(min(wanted, 1.0 - 1e-9))
        else:
            at = math.ceil(wanted * len(self._residuals) - 1e-9)
            residual = self._residuals[min(max(at, 1), len(self._residuals)) - 1]
        return max(prior_median_s(items) * math.exp(residual) - running_s, 0.0)

    def _ended(self, items: int, after_s: float) -> float:
        """The share of batches of so many items that have ended after so long."""
        if after_s <= 0:
            return 0.0
        residual = math.log(after_s / prior_median_s(items))
        if not self._residuals:
            return NormalDist().cdf(residual / _SIGMA)
        return bisect_right(self._residuals, residual + 1e-9) / len(self._residuals)

    def draw(self, rng: random.Random, items: int) -> float:
        """One batch's time, in seconds."""
        residual = rng.choice(self._residuals) if self._residuals else rng.gauss(0.0, _SIGMA)
        return min(prior_median_s(items) * math.exp(residual), EXPIRES_S)

    def times(self, batches: Sequence[int], queue_limit: int, *, after_s: float = 0.0, seed: int = 0) -> Times:
        """When all of these batches are done. Each starts when the API's queue has room for it.

        after_s: seconds before the first can start.
        """
        rng = random.Random(seed)
        draws = sorted(after_s + self._once(rng, batches, queue_limit) for _ in range(_draws(len(batches))))
        return times(draws)

    def _once(self, rng: random.Random, batches: Sequence[int], queue_limit: int) -> float:
        running: list[tuple[float, int]] = []
        now = last = 0.0
        room = queue_limit
        for items in batches:
            while running and items > room:
                now, ended = heapq.heappop(running)
                room += ended
            room -= items
            ends = now + self.draw(rng, items)
            last = max(last, ends)
            heapq.heappush(running, (ends, items))
        return last


def times(draws: Sequence[float]) -> Times:
    """From draws, sorted."""
    return Times(draws[len(draws) // 2], draws[min(math.ceil(SURE * len(draws)), len(draws) - 1)], tuple(draws))


def best_hours(past: Sequence[Turnaround]) -> tuple[int, float] | None:
    """The hour (UTC) at which the fastest six hours of the day begin, and how much of the usual time they take.

    None when too little is known to tell hours apart: in and outside of them there must be enough batches.
    """
    best = None
    for start in range(24):
        inside = [batch for batch in past if (batch.created_at.hour - start) % 24 < _OFF_PEAK_H]
        outside = [batch for batch in past if (batch.created_at.hour - start) % 24 >= _OFF_PEAK_H]
        if min(len(inside), len(outside)) < _ENOUGH:
            continue
        factor = math.exp(_mean_residual(inside) - _mean_residual(past))
        if best is None or factor < best[1]:
            best = (start, factor)
    return best


def _mean_residual(past: Sequence[Turnaround]) -> float:
    return sum(math.log(batch.took_s / prior_median_s(batch.items)) for batch in past) / len(past)


def _draws(batches: int) -> int:
    """Fewer for very many batches, whose sum is surer."""
    return max(_DRAWS // max(batches // 20, 1), 100)
