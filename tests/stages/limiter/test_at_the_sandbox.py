"""The limiter and the sandbox's own limits, over HTTP, beside a product that uses the same account."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis

from overnight_workers.anthropic_api.moments import retry_after_s
from overnight_workers.limiter import Limiter, Need, Used, Wait
from overnight_workers.limiter.limits import PoolLimits
from tests.limiting import MODEL, granted
from tests.sandboxes import forked_sandbox

PER_MINUTE = 600
ASKED: Any = {"model": MODEL, "max_tokens": 100, "messages": [{"role": "user", "content": "Name a colour"}]}
HEADERS = {"x-api-key": "sk-sandbox-shared", "anthropic-version": "2026-10-21"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[httpx2.Client]:
    with (
        forked_sandbox(tmp_path, "--instant", "--messages-per-minute", str(PER_MINUTE)) as sandbox,
        httpx2.Client(verify=False, base_url=sandbox.url, headers=HEADERS, timeout=60) as client,
    ):
        yield client


def send(limiter: Limiter, client: httpx2.Client, seconds: float, enough: int) -> Counter[int]:
    """Send what is granted, for so long, and until enough was answered; how often each status came."""
    statuses, stop_at = Counter[int](), time.monotonic() + seconds
    while time.monotonic() < stop_at or statuses[200] < enough:
        (answer,) = limiter.acquire("shared", MODEL, [Need(10, 50)])
        if isinstance(answer, Wait):
            time.sleep(min(answer.seconds, 0.2))
        for grant in granted([answer]):
            got = client.post("/v1/messages", json=ASKED)
            statuses[got.status_code] += 1
            limiter.observe("shared", MODEL, got.headers)
            if got.status_code == 429:
                limiter.throttled("shared", MODEL, retry_after_s(got.headers))
            limiter.settle([(grant, Used(10, 50) if got.status_code == 200 else None)])
    return statuses


def test_beside_a_product_that_uses_most_of_the_account_hardly_any_call_is_refused(
    client: httpx2.Client, redis_url: str
) -> None:
    """The product takes all there is, and then two thirds of what comes; the limit that we believe in is too high."""
    believed = PoolLimits((PER_MINUTE * 5, 10**9, 10**9), (False,) * 3)
    limiter = Limiter(redis.Redis.from_url(redis_url), lambda workspace, model: believed)
    left = PER_MINUTE
    while left > 20:
        left = int(client.post("/v1/messages", json=ASKED).headers["anthropic-ratelimit-requests-remaining"])
    ends = threading.Event()

    def product() -> None:
        with httpx2.Client(verify=False, base_url=client.base_url, headers=HEADERS, timeout=60) as own:
            while not ends.wait(0.15):
                own.post("/v1/messages", json=ASKED)

    beside = threading.Thread(target=product)
    beside.start()
    try:
        statuses = send(limiter, client, 6, enough=6)
    finally:
        ends.set()
        beside.join()
    assert statuses[429] <= 1
