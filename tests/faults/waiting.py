"""Waiting for what an installation does by itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx2
import psycopg
import redis


def wait_until(condition: Callable[[], object], timeout_s: float = 60.0, *, what: Callable[[], object] = str) -> None:
    """Look until it is so. A server that was killed has no answer, which is no answer. what: said when it isn't so."""
    deadline = time.monotonic() + timeout_s
    while not _so(condition):
        assert time.monotonic() < deadline, f"not so within {timeout_s:g} s: {what()}"
        time.sleep(0.02)  # other processes are watched from outside


def _so(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except (psycopg.OperationalError, redis.RedisError, httpx2.HTTPError):
        return False
