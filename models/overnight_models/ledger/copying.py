"""COPY and cursors: rows by the thousand, by psycopg itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import starmap
from typing import TypeVar

import psycopg

from overnight_models.ledger.connection import Connection, PlainConnection
from overnight_models.ledger.rows import maker

R = TypeVar("R")
Row = tuple[object, ...]


def driver_connection(connection: Connection) -> psycopg.Connection:
    """The psycopg connection beneath, for COPY and server-side cursors."""
    if isinstance(connection, PlainConnection):
        return connection.driver
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    return driver


def fetch_binary(connection: Connection, row: type[R], sql: str, values: Sequence[object]) -> list[R]:
    """Run one statement, with `%s` for its values; its rows, each as a `row`, as `rows.fetch_all` makes them.

    Bytes come as they are, and not twice as long in hex.
    """
    with driver_connection(connection).cursor(binary=True) as cursor:
        rows = cursor.execute(sql.encode(), values).fetchall()
        columns = tuple(column.name for column in cursor.description or ())
    return list(starmap(maker(row, columns), rows))


def copy_lines(connection: Connection, table_and_columns: str, lines: bytes) -> None:
    """Write rows by COPY, from lines in its text format: columns parted by tabs, texts through `copy_text`."""
    with driver_connection(connection).cursor() as cursor, cursor.copy(f"COPY {table_and_columns} FROM STDIN") as copy:
        copy.write(lines)


def copy_binary(connection: Connection, table_and_columns: str, types: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows by COPY in its binary format, in which bytes are as long as they are.

    types: of the columns, by Postgres' names.
    """
    statement = f"COPY {table_and_columns} FROM STDIN (FORMAT BINARY)"
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def copy_text(value: str | bytes | None) -> bytes:
    """A text as one column of a COPY line. It must be without NUL."""
    if value is None:
        return b"\\N"
    text = value.encode() if isinstance(value, str) else value
    return text.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def copy_json(value: bytes | None) -> bytes:
    """JSON as one column of a COPY line. It has no control characters: they stand escaped in it."""
    return b"\\N" if value is None else value.replace(b"\\", b"\\\\")


def copy_foreign(value: str | None) -> bytes:
    """The same of what others say: a NUL, which Postgres can't keep, doesn't keep the rest from being recorded."""
    return copy_text(None if value is None else value.replace("\x00", "\ufffd"))


def copy_number(value: int | None) -> bytes:
    """A number as one column of a COPY line."""
    return b"\\N" if value is None else b"%d" % value


def copy_moment(value: datetime | None) -> bytes:
    """An aware moment or null, as COPY takes it in its text form."""
    return b"\\N" if value is None else value.isoformat().encode()
