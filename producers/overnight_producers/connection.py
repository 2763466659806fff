"""The connection of a process to Overnight's Redis, which blocks, and never for long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

import redis

from overnight_models.errors import Unreachable
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import RedisPlace
from overnight_producers.steps import Command, Reply

TIMEOUT_S: Final = 1.5
"""For connecting and for each command, so that a dead Redis is known within two seconds."""


class Connection:
    """Connections to one place; safe in threads, of one process."""

    def __init__(self, place: RedisPlace) -> None:
        self._place = place
        self._redis = redis_client(place, timeout_s=TIMEOUT_S, connect_timeout_s=TIMEOUT_S)

    def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """Execute commands. Raises Unreachable; then some may have been executed all the same."""
        try:
            if len(commands) == 1:
                return [self._redis.execute_command(*commands[0])]  # type: ignore[no-untyped-call]
            with self._redis.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)  # type: ignore[no-untyped-call]
                return pipe.execute()
        except redis.RedisError as error:
            raise unreachable(self._place, error) from error

    def pop(self, key: str, timeout_s: float) -> bytes | None:
        """The first of a list, waited for. Raises Unreachable."""
        try:
            popped: Reply = self._redis.blpop([key], timeout=timeout_s)
        except redis.RedisError as error:
            raise unreachable(self._place, error) from error
        first: bytes | None = None if popped is None else popped[1]
        return first

    def pause(self, seconds: float) -> None:
        """Do nothing for so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close them."""
        self._redis.close()


def unreachable(place: RedisPlace, error: Exception) -> Unreachable:
    """What is raised when Redis doesn't do what it was asked. What to do about it is the call's to say."""
    return Unreachable(f"Overnight's Redis at {place.shown} can't be reached ({type(error).__name__}: {error})")
