"""A worker's own share of a pool, while Redis is away."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from overnight_workers.limiter.needs import BUCKETS, Answer, Grant, Need, TooLarge, Wait

_USED: Final = 0.98
"""Of the limit, less a request of each worker: all of them may begin with one at the same moment."""
_LEAST: Final = 0.1
_LATE_S: Final = 0.3
"""Nothing is lost when a worker asks so much later than it might have."""
_UNKNOWN_S: Final = 5.0


@dataclass(slots=True)
class Known:
    """What Redis said last of a pool. Times are seconds of the monotonic clock of this process."""

    limits: tuple[int, int, int]
    workers: int
    factor: float
    paused_until: float


@dataclass(slots=True)
class Share:
    """One pool, as this worker goes on with it. Every request waits until its share has grown to it, and then goes."""

    paid_until: list[float] = field(default_factory=list)

    def acquire(
        self, known: Known | None, workspace: str, pool: str, needs: Sequence[Need], now: float, ahead_s: float
    ) -> list[Answer]:
        """As the limiter's. Nothing is let through of a pool that Redis never said anything about."""
        if known is None:
            return [Wait(_UNKNOWN_S, "away")] * len(needs)
        if not self.paid_until:
            # not all workers at the same moment
            self.paid_until = [now + random.random()] * 3
        answers: list[Answer] = []
        waited = [0.0, 0.0, 0.0]
        for need in needs:
            if need.input_tokens > known.limits[1]:
                answers.append(TooLarge(need.input_tokens, known.limits[1]))
                continue
            costs = (1, need.input_tokens, min(need.output_tokens, known.limits[2]))
            takes = [self._takes(known, place, cost) for place, cost in enumerate(costs)]
            since = [max(self.paid_until[n], now - takes[n] - _LATE_S) for n in range(3)]
            ready = [since[n] + takes[n] + waited[n] for n in range(3)]
            slowest = max(range(3), key=lambda n: ready[n])
            start_s = max(ready[slowest], known.paused_until) - now
            if start_s > ahead_s:
                waited = [waited[n] + takes[n] for n in range(3)]
                answers.append(Wait(start_s, "pause" if known.paused_until > ready[slowest] else BUCKETS[slowest]))
                continue
            start_s = max(0.0, start_s)
            self.paid_until = [max(ready[n], now + start_s - _LATE_S) for n in range(3)]
            answers.append(Grant(workspace, pool, costs, (0, 0, 0), 0, start_s))
        return answers

    def settle(self, known: Known, costs: Sequence[int], used: Sequence[int]) -> None:
        """What took more than was reserved is paid afterwards; nothing is given back."""
        for place, (cost, took) in enumerate(zip(costs, used, strict=True)):
            if took > cost and self.paid_until:
                self.paid_until[place] += self._takes(known, place, took - cost)

    @staticmethod
    def _takes(known: Known, place: int, cost: int) -> float:
        """How long this worker's share needs to grow by so much, in seconds."""
        limit = known.limits[place]
        of_all = max(limit * _USED - known.workers * max(cost, limit / 100), limit * _LEAST)
        return 60.0 * cost * known.workers / (of_all * max(known.factor, 1 / 32))
