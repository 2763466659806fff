"""Waiting for what other threads, processes and servers do."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable

import httpx2
import psycopg
import redis

_LOOKS_EVERY_S = 0.01
_NO_ANSWER = (psycopg.OperationalError, redis.RedisError, httpx2.HTTPError)
"""What a look raises while its server is down or was killed."""


def wait_until(
    condition: Callable[[], object],
    timeout_s: float = 120.0,
    *,
    what: Callable[[], object] = str,
    every_s: float = _LOOKS_EVERY_S,
) -> None:
    """Look until the condition is true; an AssertionError after timeout_s seconds.

    A server that gives no answer makes the condition false, and the last such error is part of the message.
    Any other exception of the condition is raised at once. what: more to say when the time is over, such as a log.
    every_s: from one look to the next; more where a look takes more than a moment of a processor.
    It has so long because a machine may be busy: only who waits in vain waits for the end of it.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        no_answer = ""
        try:
            if condition():
                return
        except _NO_ANSWER as error:
            no_answer = f"\nthe last look got no answer: {error!r}"
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout_s:g} s: {_source(condition)}{no_answer}\n{what()}".rstrip())
        time.sleep(every_s)


def _source(condition: Callable[[], object]) -> str:
    """The lines in which the condition is written, so that a failure says what it waited for."""
    try:
        return inspect.getsource(condition).strip()
    except (OSError, TypeError):
        return repr(condition)
