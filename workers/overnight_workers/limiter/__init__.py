"""One rate limit for all workers, over requests, input tokens and output tokens a minute.

    answers = limiter.acquire(workspace, model, [Need(900, 300), ...])    # a Grant, a Wait or TooLarge for each
    limiter.settle([(grant, Used.of(usage)), ...])                        # what was taken, or None: nothing
    limiter.observe(workspace, model, headers)                            # of every answer
    limiter.throttled(workspace, model, retry_after_s)                    # a 429 or 529

`limiter` asks Redis; `buckets.lua` is what runs there; `alone` goes on without it. `needs` are the values, `limits`
what the settings and the tier say, `headers` what the API says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from overnight_workers import process
from overnight_workers.held import held
from overnight_workers.limiter.limiter import BucketUse, Limiter, PoolUse
from overnight_workers.limiter.limits import PoolLimits, limits_of, limits_within
from overnight_workers.limiter.needs import Answer, Bucket, Grant, Need, Obstacle, TooLarge, Used, Wait

__all__ = [
    "Answer",
    "Bucket",
    "BucketUse",
    "Grant",
    "Limiter",
    "Need",
    "Obstacle",
    "PoolLimits",
    "PoolUse",
    "TooLarge",
    "Used",
    "Wait",
    "acquire",
    "limits_of",
    "limits_within",
    "observe",
    "settle",
    "throttled",
    "use",
]


@held
def _limiter() -> Limiter:
    return Limiter(process.redis_client(), limits_of)


def acquire(workspace: str, model: str, needs: Sequence[Need], ahead_s: float = 0.0) -> list[Answer]:
    """Whether each request may be sent now, or how long it waits: `Limiter.acquire`."""
    return _limiter().acquire(workspace, model, needs, ahead_s)


def settle(settled: Sequence[tuple[Grant, Used | None]]) -> None:
    """Give back what wasn't used, and owe what was used beyond: `Limiter.settle`."""
    _limiter().settle(settled)


def observe(workspace: str, model: str, headers: Mapping[str, str]) -> None:
    """Note what an answer's headers say of the account: `Limiter.observe`."""
    _limiter().observe(workspace, model, headers)


def throttled(workspace: str, model: str, retry_after_s: float | None) -> None:
    """The API said 429 or 529: `Limiter.throttled`."""
    _limiter().throttled(workspace, model, retry_after_s)


def use() -> list[PoolUse]:
    """How much of each bucket is used: `Limiter.use`."""
    return _limiter().use()
