"""The limiter while its Redis is emptied, restarted, away, or full."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.limiter import Grant, Limiter, Need, Used, Wait
from overnight_workers.limiter.limits import PoolLimits
from tests.faults.redis_servers import Server
from tests.limiting import MODEL, Account, Minute, granted

LIMITS = (1000, 500_000, 100_000)
SMALL = Need(10, 10)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "redis").start().wait()
    yield server
    if server.alive():
        server.stop()


def worker(server: Server, limits: tuple[int, int, int] = LIMITS) -> Limiter:
    client = redis_client(read_redis_url(server.url), timeout_s=0.5, connect_timeout_s=0.5)
    return Limiter(client, lambda workspace, model: PoolLimits(limits, (False,) * 3))


def empty(client: redis.Redis, account: Account) -> None:
    client.flushall()
    account.clock.move(0)


def test_an_emptied_redis_opens_no_bucket(client: redis.Redis) -> None:
    account = Account(client, LIMITS, workers=8)
    minutes = [Minute(), Minute()]
    for step in range(2400):
        if step and step % 300 == 0:
            empty(client, account)
        for grant in granted(account.ask(*[Need(2000, 100)] * 20, worker=step % 8)):
            for minute, cost in zip(minutes, grant.costs, strict=False):
                minute.add(cost, account.clock.now)
        account.clock.move(0.1)
    assert minutes[1].worst <= LIMITS[1]
    assert minutes[1].total > 0.9 * LIMITS[1] * 4


def test_an_emptied_redis_forgets_no_pause_no_debt_and_no_limit_that_a_worker_remembers(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    (limiter,) = account.workers
    account.ask(SMALL)
    account.clock.move(60)
    limiter.observe("default", MODEL, {"anthropic-ratelimit-requests-limit": "77"})
    account.settle((account.grant(SMALL), Used(10, 50_000)))
    limiter.throttled("default", MODEL, 40)
    empty(client, account)
    assert account.ask(SMALL) == [Wait(40, "pause")]
    account.clock.move(40)
    account.settle((account.grant(SMALL), Used(10, 50_000)))
    empty(client, account)
    (answer,) = account.ask(SMALL)
    assert isinstance(answer, Wait)
    assert answer.bucket == "output_tokens"
    assert answer.seconds > 20
    account.ask(SMALL)
    assert limiter.use()[0].buckets["requests"].limit == 77


def test_a_server_whose_clock_is_behind_the_last_ones_stops_nobody_for_long(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    account.ask(SMALL)
    account.clock.move(-3600)
    (answer,) = account.ask(SMALL)
    assert isinstance(answer, Wait)
    assert answer.seconds <= 300
    account.clock.move(300)
    assert isinstance(account.ask(SMALL)[0], Grant)


def test_a_restarted_redis_knows_the_script_again(server: Server) -> None:
    limiter = worker(server)
    first = limiter.acquire("default", MODEL, [SMALL])
    server.stop()
    server.start().wait()
    again = limiter.acquire("default", MODEL, [SMALL])
    with server.client() as client:
        client.script_flush()
    limiter.settle([(grant, None) for grant in granted([*first, *again])])
    assert granted(limiter.acquire("default", MODEL, [SMALL]))


def test_while_redis_is_away_each_worker_goes_on_with_its_share(server: Server) -> None:
    limits = (6000, 500_000, 100_000)
    limiters = [worker(server, limits) for _ in range(4)]
    for limiter in [*limiters, *limiters]:
        limiter.acquire("default", MODEL, [SMALL])
        limiter._said_at.clear()
    server.stop()
    random.seed(1)  # each share begins to grow within a second, by chance
    begun, sent = time.monotonic(), 0
    enough = 0.4 * 6000 * 3 / 60
    while time.monotonic() < begun + 3 or sent <= enough:
        for limiter in limiters:
            sent += len(granted(limiter.acquire("default", MODEL, [SMALL] * 5)))
        time.sleep(0.01)
    assert sent <= 6000 * (time.monotonic() - begun) / 60
    server.start().wait()
    time.sleep(1.1)
    answers = limiters[0].acquire("default", MODEL, [SMALL] * 1000)
    assert len(granted(answers)) <= 40


def test_while_redis_is_away_a_pause_is_kept_and_a_new_one_too(server: Server) -> None:
    limiter = worker(server)
    limiter.acquire("default", MODEL, [SMALL])
    limiter.throttled("default", MODEL, 100)
    server.stop()
    (answer,) = limiter.acquire("default", MODEL, [SMALL])
    assert isinstance(answer, Wait)
    assert (answer.bucket, answer.seconds > 1) == ("pause", True)
    limiter.throttled("default", MODEL, 1000)
    (answer,) = limiter.acquire("default", MODEL, [SMALL])
    assert isinstance(answer, Wait)
    assert (answer.bucket, answer.seconds > 900) == ("pause", True)


def test_while_redis_is_away_nothing_of_a_pool_is_sent_that_it_never_told_of(server: Server) -> None:
    limiter = worker(server)
    server.stop()
    (answer,) = limiter.acquire("default", MODEL, [SMALL])
    assert isinstance(answer, Wait)
    assert answer.bucket == "away"
    assert limiter.use() == []


def test_a_redis_that_hangs_is_not_waited_for_by_every_call(server: Server) -> None:
    limiter = worker(server)
    limiter.acquire("default", MODEL, [SMALL])
    with server.client() as client:
        client.client_pause(30_000)
    begun = time.monotonic()
    for _ in range(100):
        limiter.acquire("default", MODEL, [SMALL])
        limiter.settle([])
    assert time.monotonic() - begun < 40, "each call waits half a second"


def test_a_redis_that_takes_no_writes_counts_as_away(server: Server) -> None:
    limiter = worker(server)
    limiter.acquire("default", MODEL, [SMALL])
    with server.client() as client:
        client.config_set("maxmemory", 1)
    (answer,) = limiter.acquire("default", MODEL, [SMALL])
    assert isinstance(answer, Grant | Wait)


def test_what_was_let_through_alone_is_settled_alone_or_not_at_all(server: Server) -> None:
    limiter = worker(server)
    limiter.acquire("default", MODEL, [SMALL])
    server.stop()
    grants: list[Grant] = []
    begun = time.monotonic()
    while not grants and time.monotonic() < begun + 10:
        grants = granted(limiter.acquire("default", MODEL, [SMALL]))
        time.sleep(0.05)
    limiter.settle([(grants[0], Used(10, 90_000))])
    (answer,) = limiter.acquire("default", MODEL, [SMALL])
    assert isinstance(answer, Wait)
    assert answer.seconds > 30
    server.start().wait()
    limiter.settle([(grants[0], None)])
