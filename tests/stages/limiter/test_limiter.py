"""One rate limit for all workers, on a real Redis whose clock the test moves."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overnight_models.money.prices import Usage
from overnight_workers.limiter import Grant, Need, TooLarge, Used, Wait
from tests.limiting import MICRO, MODEL, Account, Minute, granted

LIMITS = (1000, 500_000, 100_000)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


def saturate(account: Account, need: Need, seconds: float, *, step_s: float = 0.05, at_once: int = 20) -> list[Minute]:
    """Ask for more than there is, for so long; what was let through of each bucket."""
    minutes = [Minute(), Minute(), Minute()]
    for number in range(round(seconds / step_s)):
        answers = account.ask(*[need] * at_once, worker=number % len(account.workers))
        for grant in granted(answers):
            for minute, cost in zip(minutes, grant.costs, strict=True):
                minute.add(cost, account.clock.now)
        account.clock.move(step_s)
    return minutes


@pytest.mark.parametrize(
    ("need", "short"),
    [(Need(10, 10), 0), (Need(2000, 10), 1), (Need(10, 500), 2)],
    ids=["requests", "input tokens", "output tokens"],
)
def test_in_no_minute_more_than_the_limit_is_let_through_and_nearly_all_of_it(
    client: redis.Redis, need: Need, short: int
) -> None:
    minutes = saturate(Account(client, LIMITS, workers=8), need, 300)
    assert minutes[short].worst <= LIMITS[short]
    assert minutes[short].total >= 0.97 * LIMITS[short] * 300 / 60


@pytest.mark.parametrize("share", [0.03, 0.1, 0.3, 0.6, 1.0])
def test_large_requests_among_small_ones_are_let_through_within_the_limit_and_starve_nobody(
    client: redis.Redis, share: float
) -> None:
    account = Account(client, LIMITS, workers=2)
    large, small = Need(round(share * LIMITS[1]), 1), Need(1000, 1)
    minute, larges = Minute(), 0
    # only small ones for more than a minute, so that their pace is the whole one again, and then large ones beside them
    for step in range(1800):
        needs = [small] * 5 if step % 900 < 400 else [large, small]
        for grant in granted(account.ask(*needs, worker=step % 2)):
            minute.add(grant.costs[1], account.clock.now)
            larges += grant.costs[1] == large.input_tokens
        account.clock.move(0.2)
    assert larges >= 2
    assert minute.worst <= LIMITS[1]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), largest=st.floats(0.001, 1.0), calm=st.floats(0, 3))
def test_whatever_comes_no_minute_is_over_the_limit(
    client: redis.Redis, seed: int, largest: float, calm: float
) -> None:
    client.flushall()
    chance = random.Random(seed)
    account = Account(client, (200, 50_000, 20_000), workers=3)
    minutes = [Minute(), Minute(), Minute()]
    for _ in range(400):
        needs = [
            Need(round(50_000 * largest * chance.random() ** 4), round(20_000 * largest * chance.random() ** 4))
            for _ in range(chance.randrange(1, 6))
        ]
        for grant in granted(account.ask(*needs, worker=chance.randrange(3))):
            for minute, cost in zip(minutes, grant.costs, strict=True):
                minute.add(cost, account.clock.now)
        account.clock.move(chance.expovariate(1) * calm)
    assert [minute.worst <= limit for minute, limit in zip(minutes, account.limits, strict=True)] == [True] * 3


def test_what_is_given_back_is_used_by_others(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    used, reserved = Minute(), Need(10, 1000)
    waiting: list[tuple[int, Grant]] = []
    begun = account.clock.now
    for _ in range(4000):
        done = [grant for at, grant in waiting if at <= account.clock.now]
        waiting = [(at, grant) for at, grant in waiting if at > account.clock.now]
        account.settle(*[(grant, Used(10, 200)) for grant in done])
        for _ in done if account.clock.now > begun + 100 * MICRO else ():
            used.add(200, account.clock.now)
        waiting += [(account.clock.now + 5 * MICRO, grant) for grant in granted(account.ask(*[reserved] * 10))]
        account.clock.move(0.1)
    assert used.total >= 0.97 * LIMITS[2] * 300 / 60
    assert used.worst <= LIMITS[2]


def test_a_request_that_was_not_taken_gives_all_of_it_back(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    account.ask(Need(400_000, 90_000))
    account.clock.move(61)
    for _ in range(20):
        account.settle((account.grant(Need(400_000, 90_000)), None))
    assert isinstance(account.ask(Need(400_000, 90_000))[0], Grant)


def test_what_was_used_beyond_is_owed(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    account.clock.move(1)
    account.settle((account.grant(Need(10, 100)), Used(10, 50_000)))
    (answer,) = account.ask(Need(10, 100))
    assert isinstance(answer, Wait)
    assert answer.bucket == "output_tokens"
    assert 25 < answer.seconds < 35


def test_tokens_from_a_cache_are_not_counted_and_those_written_are() -> None:
    assert Used.of(Usage(100, 20, 3, 5000, 70)) == Used(123, 70)


def test_a_prompt_above_the_limit_is_refused_at_once_and_the_others_are_not(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    account.clock.move(1)
    first, second = account.ask(Need(500_001, 1), Need(100, 1))
    assert first == TooLarge(500_001, 500_000)
    assert "batch" in str(first)
    assert isinstance(second, Grant)


def test_an_answer_expected_to_be_longer_than_a_minute_gives_is_let_through_alone(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    account.ask(Need(1, 128_000))
    account.clock.move(61)
    assert account.grant(Need(1, 128_000)).costs[2] == 100_000


def test_the_waits_of_many_are_spread_so_that_they_do_not_come_back_at_once(client: redis.Redis) -> None:
    account = Account(client, (60, 500_000, 100_000))
    waits = [answer.seconds for answer in account.ask(*[Need(1, 1)] * 6) if isinstance(answer, Wait)]
    assert len(waits) >= 4
    assert all(1.0 < later - sooner < 1.1 for sooner, later in pairwise(waits))


def test_whoever_waits_so_long_is_let_through(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    for need in (Need(30_000, 10), Need(10, 5000), Need(100, 100)):
        for _ in range(50):
            (answer,) = account.ask(need)
            while isinstance(answer, Wait):
                account.clock.move(answer.seconds)
                (again,) = account.ask(need)
                assert again is not answer
                assert not isinstance(again, Wait) or again.seconds < answer.seconds
                answer = again


def test_nobody_overtakes_a_request_that_stands_before_it(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    saturate(account, Need(1000, 1), 10)
    answers = account.ask(Need(1000, 1), Need(200_000, 1), Need(1, 1), Need(1, 1))
    kinds = [type(answer) for answer in answers[1:]]
    assert kinds == [Wait, Wait, Wait]


def test_what_may_start_soon_is_granted_with_its_start(client: redis.Redis) -> None:
    account = Account(client, (60, 500_000, 100_000))
    answers = account.ask(*[Need(1, 1)] * 6, ahead_s=2.0)
    starts = [grant.starts_in_s for grant in granted(answers)]
    assert len(starts) == 2
    assert 0.9 < starts[1] - starts[0] < 1.1
    assert all(isinstance(answer, Wait) and answer.seconds > 2 for answer in answers[2:])


def test_at_the_start_there_is_no_burst(client: redis.Redis) -> None:
    account = Account(client, LIMITS)
    assert len(granted(account.ask(*[Need(10, 10)] * 1000))) <= 10


def test_each_pool_and_each_workspace_has_its_own_limit(client: redis.Redis) -> None:
    account = Account(client, (60, 500_000, 100_000))
    (worker,) = account.workers
    places = (("default", MODEL), ("default", "claude-opus-4-7"), ("other", MODEL))
    for workspace, model in places:
        worker.acquire(workspace, model, [Need(1, 1)])
    account.clock.move(2)
    for workspace, model in places:
        first = worker.acquire(workspace, model, [Need(1, 1)] * 2)
        assert [type(answer) for answer in first] == [Grant, Wait]
    assert isinstance(worker.acquire("default", "claude-opus-4-8", [Need(1, 1)])[0], Wait)
