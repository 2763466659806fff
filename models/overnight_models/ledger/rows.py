"""Statements and their rows: each row as a type of its own, whose fields are the columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from itertools import accumulate, starmap
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar, cast, overload

from overnight_models.ledger.connection import Connection, PlainConnection

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, TextClause

R = TypeVar("R")
V = TypeVar("V")
W = TypeVar("W")
ByName: TypeAlias = "RowMapping"
"""A row, by its columns' names."""
_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)(?!:)")
"""As SQLAlchemy reads `:name`."""


@overload
def fetch_all(connection: Connection, row: type[R], sql: str, /, **values: object) -> list[R]: ...
@overload
def fetch_all(connection: Connection, sql: str, /, **values: object) -> Sequence[ByName]: ...
def fetch_all(
    connection: Connection, row: type[R] | str, sql: str = "", /, **values: object
) -> list[R] | Sequence[ByName]:
    """Run one statement; its rows, each as a `row`: a NamedTuple or a dataclass with the columns' names.

    A column that `row` hasn't, or a field without a default that no column fills, is a TypeError.
    """
    if isinstance(row, str):
        columns, rows, _ = _run(connection, row, values)
        return [_by_name(columns, values_of_row) for values_of_row in rows]
    columns, rows, _ = _run(connection, sql, values)
    return list(starmap(maker(row, tuple(columns)), rows))


@overload
def fetch_one(connection: Connection, row: type[R], sql: str, /, **values: object) -> R | None: ...
@overload
def fetch_one(connection: Connection, sql: str, /, **values: object) -> ByName | None: ...
def fetch_one(connection: Connection, row: type[R] | str, sql: str = "", /, **values: object) -> R | ByName | None:
    """Run one statement; its first row as a `row`, or None. See `fetch_all`."""
    columns, rows, _ = _run(connection, row if isinstance(row, str) else sql, values)
    if not rows:
        return None
    return _by_name(columns, rows[0]) if isinstance(row, str) else maker(row, tuple(columns))(*rows[0])


def fetch_only(connection: Connection, row: type[R], sql: str, /, **values: object) -> R:
    """Run a statement that has a row whatever is in the tables: that row. See `fetch_all`."""
    only = fetch_one(connection, row, sql, **values)
    assert only is not None, sql
    return only


def fetch_column(connection: Connection, kind: type[V], sql: str, /, **values: object) -> list[V]:
    """Run one statement; the values of its only column, none of them null."""
    column = [row[0] for row in _run(connection, sql, values)[1]]
    assert not column or isinstance(column[0], kind), sql
    return cast("list[V]", column)


def fetch_value(connection: Connection, kind: type[V], sql: str, /, **values: object) -> V | None:
    """Run one statement; the only column of its first row, or None: no row, or null in it."""
    rows = _run(connection, sql, values)[1]
    value = rows[0][0] if rows else None
    assert value is None or isinstance(value, kind), sql
    return value


def fetch_only_value(connection: Connection, kind: type[V], sql: str, /, **values: object) -> V:
    """Run a statement that has one value whatever is in the tables: that value."""
    value = fetch_value(connection, kind, sql, **values)
    assert value is not None, sql
    return value


def fetch_pairs(connection: Connection, key: type[V], value: type[W], sql: str, /, **values: object) -> dict[V, W]:
    """Run one statement of two columns; the second by the first, none of them null."""
    pairs = _run(connection, sql, values)[1]
    assert not pairs or (isinstance(pairs[0][0], key) and isinstance(pairs[0][1], value)), sql
    return cast("dict[V, W]", {row[0]: row[1] for row in pairs})


def execute(connection: Connection, sql: str, /, **values: object) -> int:
    """Run one statement; how many rows it touched."""
    return _run(connection, sql, values)[2]


def _by_name(columns: Sequence[str], values: Sequence[object]) -> ByName:
    return cast("ByName", dict(zip(columns, values, strict=True)))


def _run(
    connection: Connection, sql: str, values: Mapping[str, object]
) -> tuple[Sequence[str], Sequence[Sequence[object]], int]:
    """Run one statement: its columns, its rows, and how many rows it touched."""
    if isinstance(connection, PlainConnection):
        return connection.run(_for_psycopg(sql), _as_sent(values))
    result = connection.execute(_statement(sql), _as_sent(values))
    touched = result.rowcount  # which its rows take with them
    return (tuple(result.keys()), result.all(), touched) if result.returns_rows else ((), (), touched)


_MAKERS: dict[tuple[object, tuple[str, ...]], object] = {}
"""What `maker` has made, by the row's type and the columns."""


def maker(row: type[R], columns: tuple[str, ...]) -> Callable[..., R]:
    """What makes a `row` of a result's values, in the order of its columns. Raises TypeError when they don't fit."""
    known = _MAKERS.get((row, columns))
    if known is None:
        known = _MAKERS[row, columns] = _new_maker(row, columns)
    return cast("Callable[..., R]", known)


def _new_maker(row: type[R], columns: tuple[str, ...]) -> Callable[..., R]:
    names, required = _fields(row)
    if not required <= set(columns) <= set(names) or len(set(columns)) < len(columns):
        raise TypeError(f"{row.__name__} has the fields {', '.join(names)}, the statement {', '.join(columns)}")
    if names[: len(columns)] == columns:
        return row
    return lambda *values: row(**dict(zip(columns, values, strict=True)))


def _fields(row: type[object]) -> tuple[tuple[str, ...], set[str]]:
    """The fields of a NamedTuple or a dataclass in their order, and those without a default."""
    if is_dataclass(row):
        given = [field for field in fields(row) if field.init]
        required = {field.name for field in given if field.default is MISSING and field.default_factory is MISSING}
        return tuple(field.name for field in given), required
    names: tuple[str, ...] = getattr(row, "_fields")  # noqa: B009 - only a NamedTuple has them
    return names, set(names) - set(getattr(row, "_field_defaults", {}))


def fitting(sizes: Iterable[int], max_bytes: float) -> int:
    """How many of the first have no more than `max_bytes` together; one in any case, if there is one."""
    return sum(total <= max_bytes or place == 0 for place, total in enumerate(accumulate(sizes)))


@lru_cache(maxsize=2000)
def _statement(sql: str) -> TextClause:
    from sqlalchemy import text

    return text(sql)


def _for_psycopg(sql: str) -> str:
    """A statement as psycopg reads it: what SQLAlchemy makes of `text(sql)`."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).replace("\\:", ":")


def _as_sent(values: Mapping[str, object]) -> dict[str, object]:
    """Integers by the thousand as Postgres writes an array: psycopg looks at each, which takes six times as long."""
    return {
        name: f"{{{','.join(map(str, value))}}}"
        if isinstance(value, list) and set(map(type, value)) == {int}
        else value
        for name, value in values.items()
    }
