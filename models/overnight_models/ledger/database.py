"""The connection to Postgres: one lazy engine a process, so that nothing is connected before a fork."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, Final

import psycopg
from sqlalchemy import URL, Connection, Engine, RowMapping, create_engine, make_url, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import InternalError, OperationalError

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.presence import Presence, is_gone


class DatabaseUnavailable(TransientError):
    """Postgres can't be reached, or it cut the connection. Nothing was half-done."""


_LINK: Final[dict[str, Any]] = {
    "connect_timeout": 5,
    "client_encoding": "utf8",
    # a router that drops idle connections says nothing: without these, a statement would wait for many minutes
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""What libpq is told, unless the URL says something else."""


class Database:
    """A Postgres database, connected on first use.

    url: `postgresql://user:password@host:port/name`. Its `options` go over ours, and its other parameters are libpq's.
    presence_url: where this process shows that it lives; default: the same. Behind a pooler it must lead past it.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str = "overnight",
        statement_timeout_s: float = 120,
        presence_url: str | None = None,
    ) -> None:
        self.url = _for_psycopg(url)
        self._options = (
            f"-c statement_timeout={int(statement_timeout_s * 1000)} -c lock_timeout=10000"
            " -c idle_in_transaction_session_timeout=120000 -c timezone=UTC"
            # how many rows wait or are due changes by the minute: a plan made for few would be quadratic for many
            " -c plan_cache_mode=force_custom_plan -c jit=off"
            # the processors are for other processes' work: starting a second one for a query of milliseconds is dearer
            " -c max_parallel_workers_per_gather=0"
            # rows are looked up by the thousand in tables of millions: by index, which on today's disks costs about 1
            " -c random_page_cost=1.1"
        )
        if isinstance(theirs := self.url.query.get("options"), str):
            self._options += f" {theirs}"
        self._name = name
        self._engine: Engine | None = None
        self._presence = Presence(_connect_args(_for_psycopg(presence_url or url)))

    @property
    def engine(self) -> Engine:
        """The engine; made on first use, forgotten after a fork by `forget()`."""
        if self._engine is None:
            self._engine = create_engine(
                self.url.difference_update_query(["options"]),
                pool_size=1,
                max_overflow=3,
                pool_pre_ping=True,
                pool_recycle=1800,
                connect_args={**_defaults(self.url), "application_name": self._name, "options": self._options},
            )
        return self._engine

    def forget(self) -> None:
        """Drop sockets inherited from a parent process without closing the parent's."""
        if self._engine is not None:
            self._engine.dispose(close=False)
            self._engine = None

    def owner(self) -> int:
        """The number under which this process holds rows; see `ledger.presence`. Raises DatabaseUnavailable.

        Its lock is seen by the connections that write rows: after a failover the old server may still hold it, where
        nobody looks any more.
        """
        for _ in range(2):
            try:
                number = self._presence.number()
            except psycopg.OperationalError as error:
                raise self._unavailable(error) from error
            with self.transaction() as connection:
                row = fetch_one(connection, f"SELECT {is_gone('CAST(:number AS bigint)')} AS gone", number=number)
            if row is not None and not row["gone"]:
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
        committed: whoever must know reads the row again.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
                reach("before commit")
            reach("after commit")
        except OperationalError as error:
            raise self._unavailable(error.orig) from error
        except psycopg.OperationalError as error:  # from COPY and server-side cursors, which SQLAlchemy doesn't see
            raise self._unavailable(error) from error
        except (InternalError, psycopg.errors.ReadOnlySqlTransaction) as error:
            cause = error.orig if isinstance(error, InternalError) else error
            if not isinstance(cause, psycopg.errors.ReadOnlySqlTransaction):
                raise
            # a server that was replaced as the primary: every connection to it is of no use, however well it answers
            self.close()
            raise self._unavailable(f"it is read-only, so another server may be the primary now: {cause}") from error

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One transaction that only reads, and sees everything as it was at one moment. Raises as `transaction`."""
        with self.transaction() as connection:
            execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield connection

    def _unavailable(self, error: object) -> DatabaseUnavailable:
        return DatabaseUnavailable(f"Postgres at {self.url.host}:{self.url.port}: {error}")


def is_ready(url: str) -> bool:
    """Whether a server answers there, within two seconds. url: as psycopg takes it."""
    try:
        with psycopg.connect(url, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _for_psycopg(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+psycopg")


def _defaults(url: URL) -> dict[str, Any]:
    """What libpq is told beside the URL. Of several hosts the one that takes writes is meant."""
    several = {"target_session_attrs": "read-write"} if isinstance(url.query.get("host"), tuple) else {}
    return {name: value for name, value in {**_LINK, **several}.items() if name not in url.query}


def _connect_args(url: URL) -> dict[str, Any]:
    """A URL as psycopg's parameters: as text, a password with a space would be read wrongly, and shown in the error."""
    _, from_url = PGDialect_psycopg().create_connect_args(url)  # type: ignore[no-untyped-call]
    return {**_defaults(url), **from_url}


def fetch_all(connection: Connection, sql: str, **values: Any) -> Sequence[RowMapping]:
    """Run one statement; its rows as mappings (none if it returns none)."""
    result = connection.execute(text(sql), values)
    return result.mappings().all() if result.returns_rows else []


def fetch_rows(connection: Connection, sql: str, **values: Any) -> Sequence[Sequence[Any]]:
    """Run one statement; its rows as plain sequences, for when there are thousands."""
    return connection.execute(text(sql), values).all()


def fetch_dicts(connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Run one statement; its rows as dicts, at a third of what mappings cost: for rows by the thousand."""
    result = connection.execute(text(sql), values)
    columns = tuple(result.keys())
    return [dict(zip(columns, row, strict=True)) for row in result.all()]


def execute(connection: Connection, sql: str, **values: Any) -> int:
    """Run one statement; how many rows it touched."""
    return connection.execute(text(sql), values).rowcount


def fetch_one(connection: Connection, sql: str, **values: Any) -> RowMapping | None:
    """Run one statement; its first row, or None."""
    return connection.execute(text(sql), values).mappings().first()


def fitting(sizes: Iterable[int], most: float) -> int:
    """How many of the first have no more than `most` bytes together; one in any case, if there is one."""
    return sum(total <= most or place == 0 for place, total in enumerate(accumulate(sizes)))


def driver_connection(connection: Connection) -> psycopg.Connection[Any]:
    """The psycopg connection beneath, for COPY and server-side cursors."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def copy_lines(connection: Connection, table_and_columns: str, lines: bytes) -> None:
    """Write rows by COPY, from lines in its text format: columns parted by tabs, texts through `copy_text`."""
    with driver_connection(connection).cursor() as cursor, cursor.copy(f"COPY {table_and_columns} FROM STDIN") as copy:
        copy.write(lines)


def copy_text(value: str | bytes | None) -> bytes:
    """A text as one column of a COPY line. It must be without NUL."""
    if value is None:
        return b"\\N"
    text = value.encode() if isinstance(value, str) else value
    return text.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def copy_foreign(value: str | None) -> bytes:
    """The same of what others say: a NUL, which Postgres can't keep, doesn't keep the rest from being recorded."""
    return copy_text(None if value is None else value.replace("\x00", "\ufffd"))


def copy_number(value: int | None) -> bytes:
    """A number as one column of a COPY line."""
    return b"\\N" if value is None else b"%d" % value


def copy_in(connection: Connection, table_and_columns: str, rows: Iterator[Sequence[Any]]) -> None:
    """Write rows by COPY."""
    with driver_connection(connection).cursor() as cursor, cursor.copy(f"COPY {table_and_columns} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
