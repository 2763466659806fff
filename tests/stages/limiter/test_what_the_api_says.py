"""The limiter corrected by what answers say: 429, 529, retry-after, and the headers of limits."""

from __future__ import annotations

import pytest
import redis

from overnight_workers.limiter import Grant, Need, Used, Wait
from tests.limiting import MODEL, Account, granted

LIMITS = (1000, 500_000, 100_000)
SHOWN = "anthropic-ratelimit-"
SMALL = Need(10, 10)


@pytest.fixture
def client(redis_url: str) -> redis.Redis:
    return redis.Redis.from_url(redis_url)


@pytest.fixture
def account(client: redis.Redis) -> Account:
    """Two workers of an account that was idle for a while."""
    account = Account(client, LIMITS, workers=2)
    account.ask(SMALL)
    account.clock.move(120)
    return account


def let_through(account: Account, seconds: float, need: Need = SMALL) -> int:
    """Requests that were let through in so many seconds."""
    number = 0
    for _ in range(round(seconds * 10)):
        number += len(granted(account.ask(*[need] * 20)))
        account.clock.move(0.1)
    return number


@pytest.mark.parametrize("pause_s", [0.5, 30.0, 7200.0, 6 * 86_400.0])
def test_nobody_sends_before_a_retry_after_is_over(account: Account, pause_s: float) -> None:
    account.workers[0].throttled("default", MODEL, pause_s)
    for worker in (0, 1):
        (answer,) = account.ask(SMALL, worker=worker)
        assert answer == Wait(pause_s, "pause")
    account.clock.move(pause_s - 0.01)
    assert isinstance(account.ask(SMALL)[0], Wait)
    account.clock.move(0.01)
    assert isinstance(account.ask(SMALL)[0], Grant)


def test_a_shorter_retry_after_does_not_end_a_longer(account: Account) -> None:
    account.workers[0].throttled("default", MODEL, 60)
    account.workers[1].throttled("default", MODEL, 1)
    (answer,) = account.ask(SMALL)
    assert answer == Wait(60, "pause")


def test_without_retry_after_there_is_a_short_pause(account: Account) -> None:
    account.workers[0].throttled("default", MODEL, None)
    (answer,) = account.ask(SMALL)
    assert answer == Wait(1, "pause")


def test_after_a_429_the_pace_is_half_and_grows_back_without_a_burst(account: Account) -> None:
    account.workers[0].throttled("default", MODEL, 10)
    account.clock.move(10)
    assert len(granted(account.ask(*[SMALL] * 1000))) <= 10
    half = let_through(account, 5)
    assert 0.45 < half / (1000 * 5 / 60) < 0.7
    account.clock.move(120)
    assert let_through(account, 60) > 970


def test_a_hundred_calls_that_get_429_at_once_halve_it_once(account: Account) -> None:
    for number in range(100):
        account.workers[number % 2].throttled("default", MODEL, 0)
    (pool,) = account.workers[0].use()
    assert pool.factor == 0.5


def test_however_often_it_is_refused_something_is_still_tried(account: Account) -> None:
    for _ in range(50):
        account.workers[0].throttled("default", MODEL, 0)
        account.clock.move(5)
    assert let_through(account, 10) > 2


def headers(**kinds: tuple[int, int]) -> dict[str, str]:
    """Limits and what is left, by kind."""
    shown = {}
    for kind, (limit, left) in kinds.items():
        shown[f"{SHOWN}{kind.replace('_', '-')}-limit"] = str(limit)
        shown[f"{SHOWN}{kind.replace('_', '-')}-remaining"] = str(left)
    return shown


@pytest.mark.parametrize("limit", [600, 3000])
def test_the_limit_that_the_account_shows_goes_over_the_tiers_for_all_workers(account: Account, limit: int) -> None:
    account.workers[1].observe("default", MODEL, headers(requests=(limit, limit)))
    assert 0.97 * limit < let_through(account, 61) * 60 / 61 <= limit


def test_a_limit_that_is_set_goes_no_higher_than_the_accounts(client: redis.Redis, account: Account) -> None:
    account.workers = [account.worker(client, is_set=True)]
    account.workers[0].observe("default", MODEL, headers(requests=(3000, 3000)))
    assert let_through(account, 60) <= 1000
    account.workers[0].observe("default", MODEL, headers(requests=(100, 100)))
    account.clock.move(60)
    assert let_through(account, 60) <= 100


def test_what_others_used_up_is_not_sent(account: Account) -> None:
    account.workers[0].observe("default", MODEL, headers(input_tokens=(500_000, 0)))
    (answer,) = account.ask(Need(50_000, 10), worker=1)
    assert isinstance(answer, Wait)
    assert answer.bucket == "input_tokens"
    assert answer.seconds >= 6


def test_beside_others_who_use_most_of_the_account_it_slows_down(account: Account) -> None:
    free = let_through(account, 20)
    account.clock.move(60)
    taken = 0
    for _ in range(20):
        account.workers[0].observe("default", MODEL, headers(requests=(1000, 30)))
        account.workers[0]._shown.clear()
        taken += let_through(account, 1)
    assert taken < 0.5 * free


def test_when_they_are_gone_it_has_its_pace_again(account: Account) -> None:
    account.workers[0].observe("default", MODEL, headers(requests=(1000, 30)))
    account.clock.move(61)
    assert let_through(account, 60) > 970


@pytest.mark.parametrize("odd", ["", "-1", "many", "١٢", "1e3", "9" * 40])
def test_headers_that_can_not_be_read_say_nothing(account: Account, odd: str) -> None:
    account.workers[0].observe("default", MODEL, {f"{SHOWN}requests-limit": odd, f"{SHOWN}requests-remaining": odd})
    account.workers[0].observe("default", MODEL, {})
    (pool,) = account.workers[0].use()
    assert pool.buckets["requests"].limit == 1000


def test_how_much_is_used_and_what_is_waited_for_is_known(account: Account) -> None:
    for _ in range(600):
        for grant in granted(account.ask(*[Need(10, 400)] * 20)):
            account.settle((grant, Used(10, 400)))
        account.clock.move(0.1)
    account.workers[0].observe("default", MODEL, headers(output_tokens=(100_000, 90_000)))
    (pool,) = account.workers[1].use()
    assert (pool.workspace, pool.pool, pool.paused_s, pool.factor) == ("default", MODEL, 0, 1)
    assert pool.workers >= 1
    used = {name: bucket.used / bucket.limit for name, bucket in pool.buckets.items()}
    assert used["output_tokens"] > 0.9
    assert used["requests"] < 0.3
    assert [name for name, bucket in pool.buckets.items() if bucket.is_short] == ["output_tokens"]
    assert pool.buckets["output_tokens"].left == 90_000
    assert pool.buckets["requests"].left is None


def test_what_counts_as_used_is_what_was_taken_and_not_what_was_reserved(account: Account) -> None:
    first = account.grant(Need(10, 900))
    account.clock.move(2)
    account.settle((first, Used(10, 300)), (account.grant(Need(10, 900)), None))
    (pool,) = account.workers[0].use()
    assert {name: bucket.used for name, bucket in pool.buckets.items()} == {
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 300,
    }
