"""The limiter beside two libraries, on one clock: decision by decision where they decide alike, and as a judge of it.

Where they differ, on purpose: a library's bucket begins full, ours empty; theirs lets a cost through when its whole
size has grown, ours when nothing is owed, and pays afterwards; a cost above theirs' capacity waits for ever.
"""

from __future__ import annotations

import random
import time
import types
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import limits
import pytest
import redis
import throttled
from limits.storage import MemoryStorage
from throttled.rate_limiter import gcra

from overnight_workers.limiter import Need
from tests.limiting import MICRO, Account, granted

_CLOCK = (
    "(function() local us = tonumber(redis.call('GET', 'test:now')) return { math.floor(us / 1e6), us % 1e6 } end)()"
)
LIMIT, BURST, PER_MINUTE = 40_000, 198, 39_400
"""Such that 0.3 seconds of the limiter's rate (98.5% of the limit) are a whole number of requests."""


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def theirs(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> throttled.Throttled:
    """A GCRA of throttled-py in the same Redis, by the same clock."""
    spec = gcra.RedisLimitAtomicActionSpec
    assert 'redis.call("TIME")' in spec.SCRIPTS
    monkeypatch.setattr(spec, "SCRIPTS", spec.SCRIPTS.replace('redis.call("TIME")', _CLOCK))
    return throttled.Throttled(
        key="oracle",
        using=throttled.RateLimiterType.GCRA.value,
        quota=throttled.per_duration(timedelta(minutes=1), PER_MINUTE, BURST),
        store=throttled.RedisStore(server=redis_url),
    )


@pytest.mark.parametrize("seed", range(3))
def test_request_by_request_it_lets_through_what_a_gcra_lets_through(
    client: redis.Redis, theirs: throttled.Throttled, seed: int
) -> None:
    account = Account(client, (LIMIT, 2**40, 2**40))
    account.ask(Need(0, 0))
    account.clock.move(10)
    chance, ours, other = random.Random(seed), 0, 0
    for _ in range(300):
        number = chance.choice([1, 2, 10, 60])
        ours += len(granted(account.ask(*[Need(0, 0)] * number)))
        other += sum(not theirs.limit().limited for _ in range(number))
        assert abs(ours - other) <= 1
        account.clock.move(chance.expovariate(1) * 0.02)
    assert 300 < ours < 5000


def test_of_large_requests_it_lets_through_as_many_tokens_as_a_gcra(
    client: redis.Redis, theirs: throttled.Throttled
) -> None:
    """Of up to a hundredth of the limit, which leave its rate as it is."""
    account = Account(client, (2**40, LIMIT, 2**40))
    account.ask(Need(0, 0))
    account.clock.move(10)
    chance, ours, other = random.Random(7), 0, 0
    for _ in range(1600):
        tokens = chance.randrange(1, 150)
        ours += sum(grant.costs[1] for grant in granted(account.ask(Need(tokens, 0))))
        other += 0 if theirs.limit(cost=tokens).limited else tokens
        assert -150 <= ours - other <= 3 * 150
        account.clock.move(chance.uniform(0, 0.04))
    assert ours > 20_000


class _Moved(types.ModuleType):
    """The module `time` of a library, by the test's clock."""

    def __init__(self, account: Account) -> None:
        super().__init__("time")
        self._account = account

    def time(self) -> float:
        return self._account.clock.now / MICRO

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)


@pytest.fixture
def account(client: redis.Redis) -> Account:
    return Account(client, (1000, 500_000, 100_000), workers=8)


@pytest.fixture
def judge(account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[limits.strategies.MovingWindowRateLimiter]:
    """An exact log of the last minute by `limits`, which knows no server's clock."""
    moved = _Moved(account)
    monkeypatch.setattr("limits.storage.memory.time", moved)
    monkeypatch.setattr("limits.strategies.time", moved)
    storage = MemoryStorage()
    yield limits.strategies.MovingWindowRateLimiter(storage)
    storage.timer.cancel()


def test_whatever_it_lets_through_an_exact_log_of_the_last_minute_lets_through_too(
    account: Account, judge: limits.strategies.MovingWindowRateLimiter
) -> None:
    minute, chance, least = limits.RateLimitItemPerMinute(1000), random.Random(3), 1000
    for step in range(2500):
        for _ in granted(account.ask(*[Need(10, 10)] * chance.randrange(30), worker=step % 8)):
            assert judge.hit(minute, "default")
        account.clock.move(0.1)
        if step > 700:
            least = min(least, judge.get_window_stats(minute, "default").remaining)
    assert least <= 30
