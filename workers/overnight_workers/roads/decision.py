"""The decision: a batch if it is in time with the chance that its lane asks for, else real time.

All times are in seconds from now. A batch is in time when our own work with it, and the time that batches of its size
have taken at Anthropic, fit before the deadline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from overnight_workers.roads.turnaround import Turnarounds, own_s

SMALLEST: Final = 1_000
"""Batches aren't made smaller than this for a deadline: smaller ones are hardly faster."""
_PARTS: Final = 10
"""Nor into more than so many."""
ONE_ANSWER_S: Final = 90.0
"""What an item in real time may take, its waiting for a worker included, beside its place in the queue."""
DIRECT_SHARE: Final = 0.9
"""Of the account's limit a minute, what is counted on: products may call the API beside us."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a batch has to do with, beside its time at Anthropic."""

    known: Turnarounds
    confidence: float
    noticed_s: float
    """How long it may take until a batch is packed and sent, and until its end is noticed."""

    def before_s(self, items: int) -> float:
        """Overnight's own time with a batch."""
        return own_s(items) + self.noticed_s

    def chance(self, items: int, within_s: float, *, running_s: float = 0.0) -> float:
        """How likely a batch of so many items is recorded in so many seconds. running_s: it runs for so long already.

        One that isn't sent yet may be divided where smaller ones are faster.
        """
        if running_s:
            return self.known.chance(items, within_s - self.before_s(items) / 2, running_s)
        return max(self.known.chance(size, within_s - self.before_s(items)) for size in sizes(items))

    def needs_s(self, items: int, *, running_s: float = 0.0) -> float:
        """How long before a deadline so many items must be packed at the latest; or have to be left, if they run."""
        if running_s:
            return self.known.sure_s(items, self.confidence, running_s) + self.before_s(items) / 2
        return self.before_s(items) + min(self.known.sure_s(size, self.confidence) for size in sizes(items))

    def packed_needs_s(self, items: int) -> float:
        """The same for a batch that is packed, and not sent yet: half of our own work with it is done."""
        return self.known.sure_s(items, self.confidence) + self.before_s(items) / 2

    def size_for(self, items: int, within_s: float) -> int:
        """How many of them go into one batch: all, or as few as it takes to be in time."""
        left_s = within_s - self.before_s(items)
        tried = sizes(items)
        return next((size for size in tried if self.known.chance(size, left_s) >= self.confidence), tried[-1])


def sizes(items: int) -> list[int]:
    """Into batches of how many items so many may be divided, the largest first."""
    least = max(min(items, SMALLEST), -(-items // _PARTS), 1)
    numbers = [max(items, 1)]
    while numbers[-1] > least:
        numbers.append(max(numbers[-1] // 2, least))
    return numbers


def latest_starts(deadlines_s: Sequence[float], costs_s: Sequence[float]) -> list[float]:
    """When each item must be sent in real time at the latest so that all of them are in time, one after the other.

    deadlines_s: sorted. costs_s: how long each keeps the road busy, by the limit that it uses most of.
    A start below 0 is too late for some. The ledger reckons the same in one statement (`ledger.roads.running`).
    """
    until = list(accumulate(costs_s))
    slack = [deadline - end for deadline, end in zip(deadlines_s, until, strict=True)]
    least = list(accumulate(reversed(slack), min))[::-1]
    return [room + end - cost - ONE_ANSWER_S for room, end, cost in zip(least, until, costs_s, strict=True)]
