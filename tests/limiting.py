"""A limiter on a clock that a test moves: the script reads the time from a key instead of the server."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import redis

from overnight_workers.limiter import Answer, Grant, Limiter, Need, Used
from overnight_workers.limiter.limiter import SCRIPT
from overnight_workers.limiter.limits import PoolLimits

MICRO = 1_000_000
MODEL = "claude-sonnet-5"
_CLOCK = "test:now"
_TIME = "redis.call('TIME')"
assert _TIME in SCRIPT
MOVED = SCRIPT.replace(_TIME, f"{{ 0, redis.call('GET', '{_CLOCK}') }}")


class Clock:
    """The time by which the script goes, in microseconds."""

    def __init__(self, client: redis.Redis, start: int = 1_800_000_000 * MICRO) -> None:
        self._client = client
        self.now = start
        self.move(0)

    def move(self, seconds: float) -> None:
        """Forward."""
        self.now += round(seconds * MICRO)
        self._client.set(_CLOCK, self.now)


class Minute:
    """What was let through in the worst minute."""

    def __init__(self) -> None:
        self._taken: deque[tuple[int, int]] = deque()
        self._sum = 0
        self.worst = 0
        self.total = 0

    def add(self, amount: int, at: int) -> None:
        """So much, at a moment that is never before the last one."""
        while self._taken and self._taken[0][0] <= at - 60 * MICRO:
            self._sum -= self._taken.popleft()[1]
        self._taken.append((at, amount))
        self._sum += amount
        self.total += amount
        self.worst = max(self.worst, self._sum)


class Account:
    """One pool with limits of its own, as several workers use it."""

    def __init__(self, client: redis.Redis, limits: tuple[int, int, int], workers: int = 1) -> None:
        self.limits = limits
        self.clock = Clock(client)
        self.workers = [self.worker(client) for _ in range(workers)]

    def worker(self, client: redis.Redis, *, is_set: bool = False) -> Limiter:
        """One more worker."""
        limits = PoolLimits(self.limits, (is_set,) * 3)
        return Limiter(client, lambda workspace, model: limits, MOVED)

    def ask(self, *needs: Need, worker: int = 0, ahead_s: float = 0.0) -> list[Answer]:
        """What a worker is answered."""
        return self.workers[worker].acquire("default", MODEL, needs, ahead_s)

    def grant(self, need: Need, worker: int = 0) -> Grant:
        """What has to be let through."""
        (answer,) = self.ask(need, worker=worker)
        assert isinstance(answer, Grant), answer
        return answer

    def settle(self, *settled: tuple[Grant, Used | None], worker: int = 0) -> None:
        """What a worker says it took."""
        self.workers[worker].settle(settled)


def granted(answers: Sequence[Answer]) -> list[Grant]:
    """Those that were let through."""
    return [answer for answer in answers if isinstance(answer, Grant)]
