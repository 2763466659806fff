"""Sessions of Postgres that outlive a test: closed, they are reset, and whoever connects alike next gets them.

A new session of Postgres reads what it knows of 70 tables and 180 indexes first: 50 ms of a processor, for as many
sessions as a test has. `DISCARD ALL` leaves a session as it was when it began, locks, settings and all, but for that.
"""

from __future__ import annotations

import os
import select
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq.abc import PGconn

APPLICATION: Final = "kept for the next test"
"""What such a session calls itself in `pg_stat_activity` while nobody has it."""


class _Kept(psycopg.Connection[Any]):
    """A connection whose session another had before, and another may have after it."""

    sessions: KeptSessions
    named: str

    @classmethod
    def _connect_gen(cls, conninfo: str = "") -> Any:
        session = cls.sessions.take(conninfo)
        connection = cls(session) if session else (yield from super()._connect_gen(conninfo))
        connection.named = conninfo
        return connection

    def close(self) -> None:
        """Give the session back, if nothing is under way in it."""
        session, self.pgconn = self.pgconn, pq.PGconn()
        self._closed = True
        self.sessions.release(self.named, session)


class KeptSessions:
    """The sessions of one database. url: as psycopg takes it."""

    def __init__(self, url: str) -> None:
        where = conninfo_to_dict(url)
        self._place = (where.get("port"), where.get("dbname"))
        self._idle: defaultdict[str, list[PGconn]] = defaultdict(list)
        self._lock = Lock()
        self._pid = os.getpid()
        self._connection: type[_Kept] = type("_Kept", (_Kept,), {"sessions": self})

    @contextmanager
    def offered(self) -> Iterator[None]:
        """`psycopg.connect` takes from them for as long as the block lasts."""
        connect = psycopg.connect

        def connecting(conninfo: str = "", **parameters: Any) -> psycopg.Connection[Any]:
            where = conninfo_to_dict(conninfo, **{name: parameters.get(name) for name in ("port", "dbname")})
            ours = (str(where.get("port")), where.get("dbname")) == self._place and os.getpid() == self._pid
            connection: psycopg.Connection[Any] = (self._connection.connect if ours else connect)(
                conninfo, **parameters
            )
            return connection

        psycopg.connect = connecting
        try:
            yield
        finally:
            psycopg.connect = connect
            self.end()

    def take(self, conninfo: str) -> PGconn | None:
        """A session that was begun with the same parameters, as it was then; None: there is none."""
        while True:
            with self._lock:
                if not self._idle[conninfo]:
                    return None
                session = self._idle[conninfo].pop()
            # the server says something unasked only when it ends a session
            said, _, _ = select.select([session.socket], [], [], 0)
            if not said and _done(session, b"RESET application_name"):
                return session
            session.finish()

    def release(self, conninfo: str, session: PGconn) -> None:
        """It is reset; ended, if that can't be done."""
        is_idle = session.status == pq.ConnStatus.OK and session.transaction_status == pq.TransactionStatus.IDLE
        named = f"SET application_name = '{APPLICATION}'".encode()
        if os.getpid() == self._pid and is_idle and _done(session, b"DISCARD ALL") and _done(session, named):
            with self._lock:
                self._idle[conninfo].append(session)
        else:
            session.finish()

    def end(self) -> None:
        """End those that nobody has: a database can't be copied or dropped while anybody is connected to it."""
        with self._lock:
            for sessions in self._idle.values():
                for session in sessions:
                    session.finish()
            self._idle.clear()


def _done(session: PGconn, statement: bytes) -> bool:
    return session.exec_(statement).status == pq.ExecStatus.COMMAND_OK
