"""Presence: whether the process that holds a row is still there, known in seconds and not after a lease.

Each process that takes on long work holds one advisory lock on a connection of its own; rows name that lock as their
owner. When the process dies, however it dies, the kernel closes the connection and the lock is gone. A frozen process
keeps its lock; leases are for that. A process may be taken for dead wrongly (Postgres restarted, and it hasn't locked
anew yet): that costs it its work and nothing else, since every move asks for the state it starts from.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import psycopg

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError
from overnight_models.ledger.database_url import shown

if TYPE_CHECKING:
    from overnight_models.ledger.connecting import Connector

_SPACE: Final = 0x4E49
"""The first half of each lock, so that these can't be mistaken for others."""

_LOOKS: Final = 5
"""At sessions of a pool, which another process may have taken at that moment."""


def is_gone(column: str) -> str:
    """The guard: the process that this column names as owner isn't there any more."""
    return f"""
        ({column} IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_locks
            WHERE locktype = 'advisory' AND classid = {_SPACE} AND objid = {column}::bigint::oid AND objsubid = 2
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ))
    """


class SharedSession(PermanentError):
    """A pooler in transaction mode gives each transaction a session of its choice: a lock there is nobody's."""


class Presence:
    """The lock of one process; taken on first use, and again when its connection was lost."""

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._connection: psycopg.Connection[tuple[bool]] | None = None
        self._number = 0

    def number(self) -> int:
        """The owner's number, to write into rows; its lock is held when this returns.

        Raises psycopg.OperationalError, and SharedSession.
        """
        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                self.close()
        if self._connection is None:
            connection = self._connect()
            if self._connector.is_pooled:
                self._require_own_session(connection)
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

    def _connect(self) -> psycopg.Connection:
        arguments = {**self._connector.arguments, "application_name": "overnight-owner"}
        return self._connector.connect(**arguments, autocommit=True)

    def _require_own_session(self, connection: psycopg.Connection) -> None:
        """Raise SharedSession when another connection gets this one's session, or this one gets another session."""
        own = _session(connection)
        with self._connect() as other:
            other.autocommit = False
            for _ in range(_LOOKS):
                if _session(other) == own or _session(connection) != own:
                    connection.close()
                    raise SharedSession(
                        f"a pooler in transaction mode stands before Postgres at {shown(self._connector.url)},"
                        " where no process can show that it lives: set OVERNIGHT_PRESENCE_URL"
                        " to Postgres itself, or to a pool in session mode"
                    )
                other.rollback()


def _session(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])
