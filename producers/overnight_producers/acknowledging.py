"""Acknowledging: a callback that is done says so in Overnight's Redis, and never fails because it can't."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from functools import cache
from typing import Final

import redis
from celery import current_task

from overnight_models.errors import BadSettings
from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import HEADER
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_producers.settings import ProducerSettings

_TIMEOUT_S: Final = 1.5
_KEPT: Final = 10_000
"""Acknowledgements kept meanwhile; what is more is dropped, and its messages come again."""

log = logging.getLogger(__name__)


def asked() -> str | None:
    """The acknowledgement that the message of the running task asks for; None if it asks for none."""
    request = getattr(current_task, "request", None)  # there is no task when a product calls its function by itself
    word = getattr(request, HEADER, None)
    return word if isinstance(word, str) else None


def acknowledge(word: str) -> None:
    """Say that it is done. Never raises: what can't be said now is said with the next, or its message comes again."""
    try:
        _teller(os.getpid()).tell(word)
    except BadSettings as error:
        log.error("Overnight sends this outcome again, since its acknowledgement can't be written: %s", error)


class Teller:
    """What one process has to say. Raises BadSettings on a wrong URL.

    ca_file, master_name: as in `overnight_models.wire.redis_place.read_redis_url`.
    pause_s: after a Redis that didn't answer; not every task shall wait for it.
    """

    def __init__(self, url: str, *, ca_file: str = "", master_name: str = "", pause_s: float = 5.0) -> None:
        self._pause_s = pause_s
        place = read_redis_url(url, ca_file=ca_file, master_name=master_name)
        self._redis = redis_client(place, timeout_s=_TIMEOUT_S, connect_timeout_s=_TIMEOUT_S)
        self._unsaid: deque[str] = deque(maxlen=_KEPT)
        self._not_before = 0.0

    def tell(self, word: str) -> None:
        """Say it, and what couldn't be said before. Never raises."""
        self._unsaid.append(word)
        if time.monotonic() < self._not_before:
            return
        words = self._take()
        try:
            if words:
                self._redis.lpush(ACKS_KEY, *words)
        except redis.RedisError as error:
            self._unsaid.extendleft(reversed(words))
            self._not_before = time.monotonic() + self._pause_s
            log.warning("acknowledgements wait, Overnight's Redis can't be reached: %s", error)

    def _take(self) -> list[str]:
        """All that is unsaid; another thread may be taking too."""
        words = []
        while True:
            try:
                words.append(self._unsaid.popleft())
            except IndexError:
                return words


@cache
def _teller(pid: int) -> Teller:
    """One a process: a fork doesn't say what its parent had to say."""
    settings = ProducerSettings()
    return Teller(settings.url(), ca_file=settings.redis_ca, master_name=settings.redis_master)
