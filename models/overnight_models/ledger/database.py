"""The connection to Postgres: one lazy engine a process, so that nothing is connected before a fork."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, RowMapping, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.presence import Presence


class DatabaseUnavailable(TransientError):
    """Postgres can't be reached, or it cut the connection. Nothing was half-done."""


class Database:
    """A Postgres database, connected on first use.

    url: `postgresql://user:password@host:port/name`.
    """

    def __init__(self, url: str, *, name: str = "overnight", statement_timeout_s: float = 120) -> None:
        self.url = make_url(url).set(drivername="postgresql+psycopg")
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
        self._name = name
        self._engine: Engine | None = None
        self._presence = Presence(self.url.set(drivername="postgresql").render_as_string(hide_password=False))

    @property
    def engine(self) -> Engine:
        """The engine; made on first use, forgotten after a fork by `forget()`."""
        if self._engine is None:
            self._engine = create_engine(
                self.url,
                pool_size=1,
                max_overflow=3,
                pool_pre_ping=True,
                pool_recycle=1800,
                connect_args={
                    "application_name": self._name,
                    "connect_timeout": 5,
                    "options": self._options,
                },
            )
        return self._engine

    def forget(self) -> None:
        """Drop sockets inherited from a parent process without closing the parent's."""
        if self._engine is not None:
            self._engine.dispose(close=False)
            self._engine = None

    def owner(self) -> int:
        """The number under which this process holds rows; see `ledger.presence`. Raises DatabaseUnavailable."""
        try:
            return self._presence.number()
        except psycopg.OperationalError as error:
            raise self._unavailable(error) from error

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
