"""SQL: what a query selects, read once by a server-side cursor and written down.

One read-only transaction, in UTC, no prepared statements: it works behind a pooler in transaction mode, and the texts
of times are the same from whatever client.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_models.errors import BadSettings, TransientError
from overnight_models.ledger.database_url import read_database_url
from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource, NotSetHere
from overnight_workers.catalogs.sources import written
from overnight_workers.catalogs.sources.source import Source

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult
    from sqlalchemy.exc import SQLAlchemyError

_AT_ONCE: Final = 5_000
"""Rows that are fetched together."""
LOCKED_S: Final = 10
"""How long a lock of somebody else's is waited for at once; then the run says so, and tries again."""
WAIT_FOR_LOCKS: Final = {"postgresql": (f"SET LOCAL lock_timeout = '{LOCKED_S}s'",)} | dict.fromkeys(
    ("mysql", "mariadb"),
    (f"SET SESSION lock_wait_timeout = {LOCKED_S}", f"SET SESSION innodb_lock_wait_timeout = {LOCKED_S}"),
)
_IN_UTC: Final = {
    "postgresql": "SET LOCAL TIME ZONE 'UTC'",
    "mysql": "SET time_zone = '+00:00'",
    "mariadb": "SET time_zone = '+00:00'",
}


def columns_of(declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The columns. wanted: not asked, all of them are known."""
    with _result(declared, directory) as result:
        return tuple(result.keys())


def open_rows(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    """What the query selects. max_rows: rows that are read. Raises BadSource."""
    with _result(declared, directory) as result:
        columns = list(result.keys())
        file = written.write(_texts(islice(result, max_rows)), columns, room)
    return written.source_of(file, columns, "the query's result")


def _texts(rows: Iterator[Sequence[object]]) -> Iterator[list[str]]:
    for row in rows:
        yield [cells.text_of(value) for value in row]


@contextmanager
def _result(declared: DeclaredSource, directory: Path) -> Iterator[CursorResult[object]]:
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    url = url_of(declared.url, declared.url_variable, directory)
    try:
        engine = create_engine(url, **options_of(url))
        try:
            with (
                engine.connect() as connection,
                _executed(connection, declared.query or "", url.get_backend_name()) as result,
            ):
                yield result
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        said = f"the query fails at {url.host or url.database}: {why(error)}"
        raise (TransientError(said) if may_pass(error) else BadSource([said])) from error


_LASTS: Final = (
    *("authentication", "does not exist", "pg_hba", "permission", "unable to open", "readonly", "read-only"),
    *("no such", "no column", "access denied", "unknown database"),
)
"""Words of databases about what doesn't pass by itself."""


def may_pass(error: SQLAlchemyError | ImportError) -> bool:
    """Whether the same may work in a while: the database is away, has no room, or somebody has locked something."""
    from sqlalchemy.exc import OperationalError

    said = str(getattr(error, "orig", None) or error).lower()
    return isinstance(error, OperationalError) and not any(words in said for words in _LASTS)


def why(error: SQLAlchemyError | ImportError) -> str:
    """What a database says, in a line; of a lock also what that means."""
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    is_locked = any(words in said.lower() for words in ("lock timeout", "lock wait timeout", "is locked"))
    return f"{said} (another session holds a lock on it)" if is_locked else said


def options_of(url: URL) -> dict[str, object]:
    """What an engine is made with: no prepared statements, which a pooler in transaction mode gives to another session.

    Raises SQLAlchemyError where there is no such kind of database.
    """
    if url.get_backend_name() != "postgresql":
        url.get_dialect()
        return {}
    return {"json_deserializer": cells.loads, "connect_args": {"prepare_threshold": None}}


def _executed(connection: Connection, query: str, backend: str) -> CursorResult[object]:
    """The query's result, read by a server-side cursor in a transaction of its own, which writes nothing."""
    if backend == "postgresql":
        connection = connection.execution_options(postgresql_readonly=True)
    for setting in (*((_IN_UTC[backend],) if backend in _IN_UTC else ()), *WAIT_FOR_LOCKS.get(backend, ())):
        connection.exec_driver_sql(setting)
    # as it is written: neither a colon nor a percent sign in it is a parameter
    result = connection.execution_options(yield_per=_AT_ONCE, no_parameters=True).exec_driver_sql(query)
    if not result.returns_rows:
        raise BadSource(["the query returns no rows: write one that selects"])
    return result


def url_of(url: str | None, variable: str | None, directory: Path) -> URL:
    """A database's URL, from the file or from the environment. Raises BadSource; the URL isn't said: it has a password.

    directory: where the path of an SQLite file begins from.
    """
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    text = url if url is not None else os.environ.get(variable or "", "")
    if not text:
        raise NotSetHere([f"the environment variable {variable} isn't set: it should have the database's URL"])
    where = "`url`" if url is not None else f"the environment variable {variable}"
    if text.partition(":")[0] in ("postgres", "postgresql", "postgresql+psycopg"):
        try:
            return read_database_url(text)
        except BadSettings as error:
            raise BadSource([f"{where}: {error.faults[0]}"]) from None
    try:
        database = make_url(text)
    except (ArgumentError, ValueError):
        # their words have parts of the URL in them
        raise BadSource([f"{where} is no URL of a database, such as postgresql://user@host/name"]) from None
    if database.get_backend_name() == "sqlite" and database.database and database.database != ":memory:":
        return database.set(database=str(directory / database.database))
    return database
