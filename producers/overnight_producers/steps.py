"""Steps: what a call asks of whoever runs it, blocking or awaiting.

A call is a generator. It yields what it wants of Redis, of the clock or of the product's items, is sent what came of
that, and returns the call's result. So what is sent and how answers are read is written once, for `Overnight` and for
`AsyncOvernight`, which only differ in how they take a step.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, TypeVar

from overnight_models.errors import OvernightError, Unreachable
from overnight_models.wire.inbox import InboxRow

T = TypeVar("T")

Word: TypeAlias = str | bytes | int
Command: TypeAlias = tuple[Word, ...]
Reply: TypeAlias = Any
"""What comes of a step: what Redis says, by redis-py, an item, or None; and what the JSON of an answer holds."""


class Commands(NamedTuple):
    """Commands of Redis, sent at once and executed in this order. Answered by the list of their replies."""

    commands: tuple[Command, ...]


class Pop(NamedTuple):
    """The first of a list, waited for. Answered by its bytes; None when nothing came in time."""

    key: str
    timeout_s: float


class Pause(NamedTuple):
    """Some time. Answered by None."""

    seconds: float


class NextItem(NamedTuple):
    """The next of the items that a product hands over. Answered by the item; None after the last."""


class PutRow(NamedTuple):
    """A row of the inbox table, in the product's own transaction. Answered by None."""

    row: InboxRow


NEXT_ITEM: Final = NextItem()

Step: TypeAlias = Commands | Pop | Pause | NextItem | PutRow
Steps: TypeAlias = Generator[Step, Reply, T]
"""A call, step by step, and what it returns."""


class Blocking(Protocol):
    """A connection that blocks."""

    def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to some commands. Raises Unreachable; then some may have been executed all the same."""

    def pop(self, key: str, timeout_s: float) -> bytes | None:
        """The first of a list, waited for; None when nothing came in time. Raises Unreachable."""

    def pause(self, seconds: float) -> None:
        """Do nothing for so long."""


class Awaiting(Protocol):
    """A connection that is awaited."""

    async def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to some commands. Raises Unreachable; then some may have been executed all the same."""

    async def pop(self, key: str, timeout_s: float) -> bytes | None:
        """The first of a list, waited for; None when nothing came in time. Raises Unreachable."""

    async def pause(self, seconds: float) -> None:
        """Do nothing for so long."""


def advising(do: str, steps: Steps[T]) -> Steps[T]:
    """The same call. When nobody can be reached, its error says what to do about it, in words of this call."""
    try:
        return (yield from steps)
    except Unreachable as error:
        error.args = (f"{error}. Nothing is lost: {do}",)
        raise


def take(connection: Blocking, step: Step) -> Reply:
    """Take a step. Raises TypeError where it isn't the connection's to take."""
    if isinstance(step, Commands):
        return connection.commands(step.commands)
    if isinstance(step, Pop):
        return connection.pop(step.key, step.timeout_s)
    if isinstance(step, Pause):
        return connection.pause(step.seconds)
    raise TypeError(f"{step} is the caller's to take")


async def take_async(connection: Awaiting, step: Step) -> Reply:
    """Take a step. Raises TypeError where it isn't the connection's to take."""
    if isinstance(step, Commands):
        return await connection.commands(step.commands)
    if isinstance(step, Pop):
        return await connection.pop(step.key, step.timeout_s)
    if isinstance(step, Pause):
        return await connection.pause(step.seconds)
    raise TypeError(f"{step} is the caller's to take")


def run(steps: Steps[T], take: Callable[[Step], Reply]) -> T:
    """Run a call to its end. An error of ours that comes of a step is raised where the call asked for it."""
    try:
        step = next(steps)
        while True:
            try:
                answer = take(step)
            except OvernightError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()


async def run_async(steps: Steps[T], take: Callable[[Step], Awaitable[Reply]]) -> T:
    """Run a call to its end. A cancellation ends the call where it is."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await take(step)
            except OvernightError as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        steps.close()
