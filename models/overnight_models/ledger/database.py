"""The connection to Postgres: one lazy engine a process, so that nothing is connected before a fork."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.connecting import Connector, defaults, why
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.database_url import shown
from overnight_models.ledger.presence import Presence, is_gone
from overnight_models.ledger.rows import execute, fetch_only_value
from overnight_models.ledger.session_settings import SETTINGS


class DatabaseUnavailable(TransientError):
    """Postgres can't be reached, or it cut the connection. Nothing was half-done."""


class DatabaseFull(DatabaseUnavailable):
    """Postgres answers and has no room on its disk: a person has to make some."""


_PLANNED_ONCE: Final = (
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), set_config('enable_seqscan', 'off', true)"
)
"""What it is told in a transaction of `Database.quick`."""
_OF_DATA: Final = "22"
"""Of an SQLSTATE: a value can't be what it should be, and is quoted."""
_QUOTED: Final = re.compile(r'".*"', re.DOTALL)

_USED_AT: Final = "used_at"
_GOOD_FOR_S: Final = 1.0
"""A connection that was used so lately isn't looked at again."""
_NO_ROOM: Final = "No space left on device"
_PASSES: Final = (
    psycopg.OperationalError,
    psycopg.errors.IdleInTransactionSessionTimeout,
    psycopg.errors.TransactionTimeout,
)
"""What passes by itself: no answer; and a session that the server ended since its process stood still for too long."""


class Database:
    """A Postgres database, connected on first use.

    url: as `database_url` reads it. Its `options` go over ours, and its other parameters are libpq's.
    options: what its connections carry, such as encryption keys (`bodies.encryption.options`).
    presence_url: where this process shows that it lives, past a pooler in transaction mode; default: the same.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "overnight",
        statement_timeout_s: float = 120,
        presence_url: str | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self._connector = Connector(url, {"statement_timeout": str(int(statement_timeout_s * 1000)), **SETTINGS})
        self._name = name
        self._options = dict(options or {})
        self._engine: Engine | None = None
        self._kept = 1
        self._presence = Presence(self._connector if presence_url is None else Connector(presence_url))

    @property
    def url(self) -> URL:
        """Where it is."""
        return self._connector.url

    @property
    def is_pooled(self) -> bool:
        """Whether a pooler stands between; known after the first transaction."""
        return self._connector.is_pooled

    @property
    def engine(self) -> Engine:
        """The engine; made on first use, forgotten after a fork by `forget()`."""
        if self._engine is None:
            self._engine = create_engine(
                self.url.difference_update_query(["options"]),
                pool_size=self._kept,
                max_overflow=3,
                pool_recycle=1800,
                hide_parameters=True,
                execution_options=self._options,
                connect_args={**defaults(self.url), "application_name": self._name},
            )
            self._connector.serve(self._engine)
            event.listen(self._engine, "checkin", _note_use)
            event.listen(self._engine, "checkout", _look)
        return self._engine

    def keep(self, connections: int) -> None:
        """Keep so many connections open between transactions, for as many threads; before the first of them."""
        self._kept = connections

    def forget(self) -> None:
        """Drop sockets inherited from a parent process without closing the parent's."""
        if self._engine is not None:
            self._engine.dispose(close=False)
            self._engine = None

    def owner(self) -> int:
        """The number under which this process holds rows; see `ledger.presence`.

        Raises DatabaseUnavailable, and SharedSession for a pooler that can't keep its lock.

        Its lock is seen by the connections that write rows: after a failover the old server may still hold it, where
        nobody looks any more.
        """
        for _ in range(2):
            try:
                number = self._presence.number()
            except psycopg.OperationalError as error:
                raise self._unavailable(error) from error
            with self.transaction() as connection:
                gone = f"SELECT {is_gone('CAST(:number AS bigint)')}"
                is_seen = not fetch_only_value(connection, bool, gone, number=number)
            if is_seen:
                return number
            self._presence.close()
        raise self._unavailable("the presence lock isn't seen: does OVERNIGHT_PRESENCE_URL lead to the same database?")

    def close(self) -> None:
        """Close every connection."""
        self._presence.close()
        if self._engine is not None:
            self._engine.dispose()
            self._engine = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back by any exception.

        Raises DatabaseUnavailable when Postgres is away. An exception at the end doesn't prove that nothing was
        committed: whoever must know reads the row again. No exception of Postgres shows what it was given.
        """
        with self._transaction(self.engine) as connection:
            yield connection

    @contextmanager
    def quick(self) -> Iterator[Connection]:
        """One transaction of statements that find some hundred rows each, by their keys. As `transaction`.

        Each is planned once a session, where planning would take longer than running it: the checks of foreign keys are
        planned for each row otherwise. No plan of it reads a whole table that has an index, so a plan that was made
        while a table was empty is good when it isn't. Past a pooler nothing is prepared, and all is planned each time.
        """
        with self.transaction() as connection:
            driver_connection(connection).execute(_PLANNED_ONCE)
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One transaction that only reads, and sees everything as it was at one moment. Raises as `transaction`."""
        with self._transaction(self.engine.execution_options(isolation_level="REPEATABLE READ")) as connection:
            # not by `postgresql_readonly`: its reset lets the session's later transactions begin as READ WRITE, which
            # goes over the default of a primary that was replaced, and the ledger would be written in two places
            execute(connection, "SET TRANSACTION READ ONLY")
            yield connection

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
                reach("before commit")
            reach("after commit")
        except (DBAPIError, psycopg.Error) as error:  # psycopg's own: of COPY, which SQLAlchemy doesn't see
            cause = _without_values(error)
            if isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
                # a server that was replaced as the primary: no connection to it is of use, however well it answers
                self.close()
                read_only = f"it is read-only, so another server may be the primary now: {cause}"
                raise self._unavailable(read_only) from error
            if isinstance(cause, _PASSES):
                raise self._unavailable(cause) from error
            raise

    def _unavailable(self, error: object) -> DatabaseUnavailable:
        where, said = f"Postgres at {shown(self.url)}", why(error)
        if isinstance(error, psycopg.errors.DiskFull) or _NO_ROOM in said:
            return DatabaseFull(f"{where} has no room on its disk, make some: {said}")
        return DatabaseUnavailable(f"{where}: {said}")


def _without_values(error: DBAPIError | psycopg.Error) -> BaseException | None:
    """Take out of an exception what Postgres quotes: rows, keys, lines of a COPY. Returns the one of psycopg.

    In place: an exception is shown wherever it ends, in logs, events and errors of a product, with its causes.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, psycopg.Error) or cause.sqlstate is None:
        return cause  # from no server
    said = cause.diag.message_primary or ""
    if cause.sqlstate.startswith(_OF_DATA):
        said = _QUOTED.sub('"…"', said)
    names = [name for name in (cause.diag.table_name, cause.diag.column_name, cause.diag.constraint_name) if name]
    cause.args = (f"{said} ({', '.join((cause.sqlstate, *names))})",)
    if error is not cause:
        error.args = (f"{type(cause).__name__}: {cause}",)
    return cause


def _note_use(_driver: object, entry: ConnectionPoolEntry) -> None:
    """A connection comes back: it was good just now."""
    entry.info[_USED_AT] = time.monotonic()


def _look(driver: psycopg.Connection, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """A connection that lay idle may be cut: then whoever takes it gets another. To look is a round trip."""
    if not driver.closed and time.monotonic() - entry.info.get(_USED_AT, math.inf) < _GOOD_FOR_S:
        return
    try:
        driver.autocommit = True
        driver.execute(";")
        driver.autocommit = False
    except psycopg.Error as error:
        raise InvalidatePoolError from error


def is_ready(url: str) -> bool:
    """Whether a server answers there, within two seconds. url: as psycopg takes it."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
