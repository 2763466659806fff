"""Who stands in for Redis and the workers in this process, where somebody does: the test kit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from overnight_models.wire.inbox import InboxRow
from overnight_models.wire.policy import Policy
from overnight_producers.steps import Command, Reply


class StandIn(Protocol):
    """What answers instead of Redis. It never blocks, so that an event loop may ask it too."""

    policy: Policy
    """What may be enqueued."""

    def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to some commands."""

    def pop(self, key: str) -> bytes | None:
        """The first of a list; None when it is empty."""

    def row(self, row: InboxRow, session: object) -> None:
        """A row of the inbox table of a product's own database, which is left alone, in the session's transaction."""

    def paused(self, seconds: float) -> None:
        """A call has waited for so long for something to happen. Raises what the call shall raise, if nothing will."""


_stand_in: StandIn | None = None


def stand_in() -> StandIn | None:
    """Who stands in just now, whichever thread or task asks; None: Redis itself is asked."""
    return _stand_in


@contextmanager
def standing_in(substitute: StandIn) -> Iterator[None]:
    """Have this stand in, in the whole process, for as long as the block lasts."""
    global _stand_in
    before, _stand_in = _stand_in, substitute
    try:
        yield
    finally:
        _stand_in = before


class StandInConnection:
    """A `Connection` to who stands in."""

    def __init__(self, substitute: StandIn) -> None:
        self._substitute = substitute

    def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """As `Connection.commands`."""
        return self._substitute.commands(commands)

    def pop(self, key: str, timeout_s: float) -> bytes | None:
        """As `Connection.pop`: what isn't there won't come, so it isn't waited for."""
        return self._substitute.pop(key)

    def pause(self, seconds: float) -> None:
        """As `Connection.pause`."""
        time.sleep(seconds)
        self._substitute.paused(seconds)

    def close(self) -> None:
        """Nothing is open."""


class AsyncStandInConnection:
    """An `AsyncConnection` to who stands in."""

    def __init__(self, substitute: StandIn) -> None:
        self._substitute = substitute

    async def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """As `AsyncConnection.commands`."""
        return self._substitute.commands(commands)

    async def pop(self, key: str, timeout_s: float) -> bytes | None:
        """As `AsyncConnection.pop`."""
        return self._substitute.pop(key)

    async def pause(self, seconds: float) -> None:
        """As `AsyncConnection.pause`."""
        await asyncio.sleep(seconds)
        self._substitute.paused(seconds)

    async def close(self) -> None:
        """Nothing is open."""
