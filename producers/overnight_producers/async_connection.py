"""The connection of an event loop to Overnight's Redis.

What several tasks want at the same time goes out together, on a connection which none of them owns. So a task that is
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

from overnight_models.wire.async_redis_client import async_redis_client, close
from overnight_models.wire.redis_place import RedisPlace
from overnight_producers.connection import TIMEOUT_S, unreachable
from overnight_producers.steps import Command, Reply

_WITHIN_S: Final = 1.9
"""From when commands are given to when their replies are there, the wait for those before them included."""
_BYTES_AT_ONCE: Final = 1_000_000
_SENDERS: Final = 4
"""Nobody waits for the replies of others while there are fewer; then what comes meanwhile goes out together."""
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
        self._senders: set[asyncio.Task[None]] = set()
        self._starting = False
        """A sender is on its way that will take what was given."""
        self._pops = asyncio.Semaphore(_POPS_AT_ONCE)

    async def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """Execute commands. Raises Unreachable; then some may have been executed all the same."""
        given = _Given(commands, asyncio.get_running_loop().create_future())
        self._given.append(given)
        if not self._starting and len(self._senders) < _SENDERS:
            # in a context of its own: it sends for others too
            sender = asyncio.create_task(self._send(), context=contextvars.Context())
            self._senders.add(sender)
            sender.add_done_callback(self._ended)
            self._starting = True
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
        if self._senders:
            await asyncio.wait(self._senders)
        await close(self._redis)

    async def _send(self) -> None:
        """Send what was given, as much at once as there is, until nothing is left."""
        group: list[_Given] = []
        self._starting = False
        try:
            while self._given:
                group = self._next_group()
                if group:
                    await self._execute(group)
        finally:
            # where this task itself was canceled, as all tasks are when a loop ends: nobody else would wake them
            for given in group if len(self._senders) > 1 else [*group, *self._given]:
                if not given.replies.done():
                    given.replies.set_exception(unreachable(self._place, ConnectionError("the event loop ends")))

    def _ended(self, sender: asyncio.Task[None]) -> None:
        self._senders.discard(sender)
        if sender.cancelled():
            self._starting = False  # it may never have begun

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
