"""Presence: whether the process that holds a row is still there, known in seconds and not after a lease.

Each process that takes on long work holds one advisory lock on a connection of its own; rows name that lock as their
owner. When the process dies, however it dies, the kernel closes the connection and the lock is gone. A frozen process
keeps its lock; leases are for that. A process may be taken for dead wrongly (Postgres restarted, and it hasn't locked
anew yet): that costs it its work and nothing else, since every move asks for the state it starts from.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

import psycopg

from overnight_models.crash_points import reach

_SPACE: Final = 0x4E49
"""The first half of each lock, so that these can't be mistaken for others."""


def is_gone(column: str) -> str:
    """The guard: the process that this column names as owner isn't there any more."""
    return f"""
        ({column} IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND classid = {_SPACE} AND objid = {column}::bigint::oid AND objsubid = 2
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ))
    """


class Presence:
    """The lock of one process; taken on first use, and again when its connection was lost.

    link: what psycopg.connect takes.
    """

    def __init__(self, link: dict[str, Any]) -> None:
        self._link = link
        self._connection: psycopg.Connection[tuple[bool]] | None = None
        self._number = 0

    def number(self) -> int:
        """The owner's number, to write into rows; its lock is held when this returns.

        Raises psycopg.OperationalError.
        """
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.close()
        if self._connection is None:
            connection = psycopg.connect(**{**self._link, "application_name": "overnight-owner"}, autocommit=True)
            # it is idle nearly always
            connection.execute("SELECT set_config('idle_session_timeout', '0', false)")
            self._number = secrets.randbits(31)
            reach("before presence")
            connection.execute("SELECT pg_advisory_lock(%s, %s)", (_SPACE, self._number))
            reach("after presence")
            self._connection = connection
        return self._number

    def close(self) -> None:
        """Give the lock back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
