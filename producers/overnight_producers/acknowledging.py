"""Acknowledging: a callback that is done says so in Overnight's Redis, and never fails because it can't."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import deque
from collections.abc import Sequence
from functools import cache
from typing import Final

from celery import current_task

from overnight_models.errors import BadSettings, Unreachable
from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import HEADER
from overnight_models.wire.redis_place import read_redis_url
from overnight_producers.async_connection import AsyncConnection
from overnight_producers.connection import Connection
from overnight_producers.settings import ProducerSettings
from overnight_producers.standing_in import stand_in
from overnight_producers.steps import Command

_KEPT: Final = 10_000
"""Acknowledgements kept meanwhile; what is more is dropped, and its messages come again."""
_PAUSE_S: Final = 5.0
"""After a Redis that didn't answer; not every task shall wait for it."""

log = logging.getLogger(__name__)


def asked() -> str | None:
    """The acknowledgement that the message of the running task asks for; None if it asks for none."""
    request = getattr(current_task, "request", None)  # there is no task when a product calls its function by itself
    word = getattr(request, HEADER, None)
    return word if isinstance(word, str) else None


def acknowledge(word: str) -> None:
    """Say that it is done. Never raises: what can't be said now is said with the next, or its message comes again."""
    substitute = stand_in()
    if substitute is not None:
        substitute.commands([command([word])])
        return
    try:
        _teller(os.getpid()).tell(word)
    except BadSettings as error:
        _not_written(error)


async def acknowledge_async(word: str) -> None:
    """The same from an event loop, which goes on meanwhile."""
    substitute = stand_in()
    if substitute is not None:
        substitute.commands([command([word])])
        return
    try:
        await _async_teller().tell(word)
    except BadSettings as error:
        _not_written(error)


def command(words: Sequence[str]) -> Command:
    """What says acknowledgements to Redis."""
    return ("LPUSH", ACKS_KEY, *words)


class Unsaid:
    """Acknowledgements that are still to be said; safe in threads."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._words: deque[str] = deque(maxlen=_KEPT)
        self._not_before = 0.0

    def take(self, word: str) -> list[str]:
        """What is to be said now, this word and all before it; nothing for a while after Redis didn't answer."""
        self._words.append(word)
        words: list[str] = []
        if time.monotonic() < self._not_before:
            return words
        while True:
            try:
                words.append(self._words.popleft())
            except IndexError:  # another thread may be taking too
                return words

    def keep(self, words: Sequence[str]) -> None:
        """These may not have been said; saying them twice does no harm."""
        self._words.extendleft(reversed(words))

    def wait(self, why: Unreachable) -> None:
        """Redis didn't answer."""
        self._not_before = time.monotonic() + self._pause_s
        log.warning("acknowledgements wait: %s", why)


class Teller:
    """Says what the tasks of one process have done. Raises BadSettings on a wrong URL.

    ca_file, master_name: as in `overnight_models.wire.redis_place.read_redis_url`.
    pause_s: after a Redis that didn't answer.
    """

    def __init__(self, url: str, *, ca_file: str = "", master_name: str = "", pause_s: float = _PAUSE_S) -> None:
        self._unsaid = Unsaid(pause_s)
        self._connection = Connection(read_redis_url(url, ca_file=ca_file, master_name=master_name))

    def tell(self, word: str) -> None:
        """Say it, and what couldn't be said before. Never raises."""
        words = self._unsaid.take(word)
        try:
            if words:
                self._connection.commands([command(words)])
        except Unreachable as error:
            self._unsaid.keep(words)
            self._unsaid.wait(error)


class AsyncTeller:
    """Says what the tasks of one event loop have done: see `Teller`."""

    def __init__(self, url: str, *, ca_file: str = "", master_name: str = "", pause_s: float = _PAUSE_S) -> None:
        self._unsaid = Unsaid(pause_s)
        self._connection = AsyncConnection(read_redis_url(url, ca_file=ca_file, master_name=master_name))

    async def tell(self, word: str) -> None:
        """Say it, and what couldn't be said before. Never raises but for a cancellation."""
        words = self._unsaid.take(word)
        try:
            if words:
                await self._connection.commands([command(words)])
        except Unreachable as error:
            self._unsaid.keep(words)
            self._unsaid.wait(error)
        except asyncio.CancelledError:
            self._unsaid.keep(words)
            raise

    async def close(self) -> None:
        """Close its connections."""
        await self._connection.close()


@cache
def _teller(pid: int) -> Teller:
    """One a process: a fork doesn't say what its parent had to say."""
    settings = ProducerSettings()
    return Teller(settings.url(), ca_file=settings.redis_ca, master_name=settings.redis_master)


_async_tellers: dict[asyncio.AbstractEventLoop, AsyncTeller] = {}


def _async_teller() -> AsyncTeller:
    """One an event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _async_tellers:
        for closed in [other for other in _async_tellers if other.is_closed()]:
            del _async_tellers[closed]
        settings = ProducerSettings()
        _async_tellers[loop] = AsyncTeller(settings.url(), ca_file=settings.redis_ca, master_name=settings.redis_master)
    return _async_tellers[loop]


def _not_written(error: BadSettings) -> None:
    log.error("Overnight sends this outcome again, since its acknowledgement can't be written: %s", error)
