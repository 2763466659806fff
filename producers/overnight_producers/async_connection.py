"""The connection of an event loop to Overnight's Redis.

What several tasks want at the same time goes out together, on one connection which no task owns. So a task that is
canceled leaves nothing half sent: its commands are withdrawn before they were sent, or executed as if it still waited.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import redis

from overnight_models.wire.async_redis_client import async_redis_client
from overnight_models.wire.redis_place import RedisPlace
from overnight_producers.connection import TIMEOUT_S, unreachable
from overnight_producers.steps import Command, Reply

_WITHIN_S: Final = 1.9
"""From when commands are given to when their replies are there, the wait for those before them included."""
_BYTES_AT_ONCE: Final = 1_000_000
_POPS_AT_ONCE: Final = 50
"""Each has a connection of its own while it waits."""


@dataclass(frozen=True, slots=True)
class _Given:
    """Commands of one task, and where it waits for their replies."""

    commands: Sequence[Command]
    replies: asyncio.Future[list[Reply]]

    @property
    def size(self) -> int:
        return sum(len(word) for command in self.commands for word in command if isinstance(word, (str, bytes)))


class AsyncConnection:
    """Connections to one place, of one event loop."""

    def __init__(self, place: RedisPlace) -> None:
        self._place = place
        self._redis = async_redis_client(place, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)
        self._given: deque[_Given] = deque()
        self._sender: asyncio.Task[None] | None = None
        self._pops = asyncio.Semaphore(_POPS_AT_ONCE)

    async def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """Execute commands. Raises Unreachable; then some may have been executed all the same."""
        given = _Given(commands, asyncio.get_running_loop().create_future())
        self._given.append(given)
        if self._sender is None or self._sender.done():
            # in a context of its own: it sends for others too
            self._sender = asyncio.create_task(self._send(), context=contextvars.Context())
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await given.replies
        except TimeoutError as error:
            raise unreachable(self._place, TimeoutError(f"no reply within {_WITHIN_S:g} s")) from error

    async def pop(self, key: str, timeout_s: float) -> bytes | None:
        """The first of a list, waited for. Raises Unreachable."""
        try:
            async with self._pops:
                popped: Reply = await self._redis.blpop([key], timeout=timeout_s)
        except redis.RedisError as error:
            raise unreachable(self._place, error) from error
        first: bytes | None = None if popped is None else popped[1]
        return first

    async def pause(self, seconds: float) -> None:
        """Do nothing for so long."""
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Close them, after what is being sent."""
        if self._sender is not None:
            await asyncio.wait([self._sender])
        await self._redis.aclose()

    async def _send(self) -> None:
        """Send what was given, as much at once as there is, until nothing is left."""
        group: list[_Given] = []
        try:
            while self._given:
                group = self._next_group()
                if group:
                    await self._execute(group)
        finally:
            # where this task itself was canceled: nobody else would wake them
            for given in (*group, *self._given):
                given.replies.cancel()

    def _next_group(self) -> list[_Given]:
        """Commands to be sent together. Those whose task has gone meanwhile are left out."""
        group: list[_Given] = []
        size = 0
        while self._given and size < _BYTES_AT_ONCE:
            given = self._given.popleft()
            if not given.replies.done():
                group.append(given)
                size += given.size
        return group

    async def _execute(self, group: Sequence[_Given]) -> None:
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for given in group:
                    for command in given.commands:
                        pipe.execute_command(*command)
                replies = iter(await pipe.execute(raise_on_error=False))
        except (redis.RedisError, OSError) as error:
            for given in group:
                if not given.replies.done():
                    given.replies.set_exception(unreachable(self._place, error))
            return
        for given in group:
            own = [next(replies) for _ in given.commands]
            refused = next((reply for reply in own if isinstance(reply, Exception)), None)
            if given.replies.done():
                continue
            if refused is None:
                given.replies.set_result(own)
            else:
                given.replies.set_exception(unreachable(self._place, refused))
