"""An open source: its rows as text, and what is wrong with its keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.faults import BadSource

if TYPE_CHECKING:
    import duckdb

MOST_NAMED: Final = 10
"""Faults of one kind that are named, with their rows; of the others there is a number."""
_AT_ONCE: Final = 2_000
_NUMBER: Final = '"number of the row"'
"""A name that no column has."""


class Source:
    """Rows that can be read as often as wanted, while it is open.

    columns: in the order of the source.
    """

    columns: tuple[str, ...]

    def __init__(self, columns: Sequence[str], scan: str, scanned: Sequence[str] | None = None) -> None:
        """scan: SQL of DuckDB that yields the rows; scanned: of each column, the SQL of its text (default: itself)."""
        check_names(columns)
        self.columns = tuple(columns)
        self._scan = scan
        self._scanned = [f"nullif({quoted(name)}, '')" for name in columns] if scanned is None else list(scanned)
        self._types: Mapping[str, str] = {}
        self.check_unchanged: Callable[[], None] = lambda: None
        """Raises TransientError when its file was written since it was opened: what was read may be half of it."""

    def declared(self, types: Mapping[str, str]) -> Source:
        """The same with columns that are declared to be more than text."""
        self._types = types
        return self

    @property
    def query(self) -> str:
        """The rows as SQL of DuckDB: every column is VARCHAR in its canonical text, null for an empty one."""
        texts = ", ".join(f"{text} AS {quoted(name)}" for name, text in zip(self.columns, self._scanned, strict=True))
        declared = ", ".join(
            f"{cells.canonical(name, self._types[name])} AS {quoted(name)}" if name in self._types else quoted(name)
            for name in self.columns
        )
        return f"SELECT {declared} FROM (SELECT {texts} FROM {self._scan})"

    def relation(self, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """The rows of `query`, lazily. Whoever fetches from it does so inside `reading()`."""
        return connection.sql(self.query)

    def first(self, connection: duckdb.DuckDBPyConnection, rows: int) -> list[tuple[str | None, ...]]:
        """So many rows, as they are read. Raises BadSource."""
        with self.reading():
            return connection.execute(f"SELECT * FROM ({self.query}) LIMIT {rows}").fetchall()

    def each(self, connection: duckdb.DuckDBPyConnection) -> Iterator[dict[str, str | None]]:
        """All rows, by the names of their columns, in flat memory. Raises BadSource."""
        cursor = connection.cursor()
        try:
            with self.reading():
                cursor.execute(self.query)
                while group := cursor.fetchmany(_AT_ONCE):
                    for row in group:
                        yield dict(zip(self.columns, row, strict=True))
        finally:
            cursor.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What is fetched from the relation inside: what DuckDB can't read becomes BadSource, with every line."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            faults = self.faults()
            if not faults and not isinstance(error, (duckdb.InvalidInputException, duckdb.IOException)):
                raise
            raise BadSource(faults or [str(error).partition("\n")[0]]) from error

    def faults(self) -> list[str]:
        """Lines that can't be read as they are declared: all are looked at, the first ones are named."""
        return []

    def key_faults(self, connection: duckdb.DuckDBPyConnection, key: Sequence[str]) -> list[str]:
        """Rows whose key is null, and keys that more than one row has; rows are counted from 1, without a header."""
        names = ", ".join(map(quoted, key))
        is_null = " OR ".join(f"{quoted(name)} IS NULL" for name in key)
        rows = f"({self.query})"
        with self.reading():
            every, nulls, distinct = _one(
                connection,
                f"SELECT count(*), count(*) FILTER ({is_null}), count(DISTINCT md5_number(concat_ws(chr(31), {names})))"
                f" FROM {rows}",
            )
            if not nulls and every == distinct:
                return []
            # whoever doesn't care about their order gets rows by threads, and these have numbers
            ((kept,),) = connection.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
            connection.execute("SET preserve_insertion_order = true")
            try:
                return _named_keys(connection, rows, names, is_null, nulls)
            finally:
                connection.execute(f"SET preserve_insertion_order = {str(kept).lower()}")


def check_names(columns: Sequence[str]) -> None:
    """Raise BadSource with every column that has no name, or that of another."""
    faults = []
    first: dict[str, int] = {}
    for number, name in enumerate(columns, start=1):
        if not name.strip():
            faults.append(f"column {number} has no name: write one")
        elif name.lower() in first:
            faults.append(
                f"columns {first[name.lower()]} and {number} are both called {name!r} (small and capital letters are"
                " the same here): rename one"
            )
        first.setdefault(name.lower(), number)
    if faults:
        raise BadSource(faults)


def _named_keys(connection: duckdb.DuckDBPyConnection, rows: str, names: str, is_null: str, nulls: int) -> list[str]:
    """The sentences about rows without a key, and with another's."""
    numbered = f"(SELECT {names}, row_number() OVER () AS {_NUMBER} FROM {rows})"
    faults = []
    if nulls:
        keyless = connection.execute(
            f"SELECT {_NUMBER} FROM {numbered} WHERE {is_null} ORDER BY 1 LIMIT {MOST_NAMED}"
        ).fetchall()
        faults.append(f"{nulls:,} rows have no key ({names}): {_listed([f'row {row:,}' for (row,) in keyless], nulls)}")
    double = f"FROM {numbered} WHERE NOT ({is_null}) GROUP BY {names} HAVING count(*) > 1"
    (how_many,) = _one(connection, f"SELECT count(*) FROM (SELECT 1 {double})")
    if how_many:
        doubles = connection.execute(
            f"SELECT concat_ws(', ', {names}), list({_NUMBER} ORDER BY {_NUMBER})[:5], count(*), min({_NUMBER})"
            f" {double} ORDER BY 4 LIMIT {MOST_NAMED}"
        ).fetchall()
        each = [
            f"{key!r} in rows {', '.join(f'{row:,}' for row in at)}{' …' if many > len(at) else ''}"
            for key, at, many, _ in doubles
        ]
        faults.append(f"{how_many:,} keys ({names}) stand more than once: {_listed(each, how_many)}")
    return faults


def _one(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, ...]:
    # all of it: DuckDB refuses the next query while a result isn't read to its end
    ((*row,),) = connection.execute(query).fetchall()
    return tuple(row)


def _listed(named: Sequence[str], how_many: int) -> str:
    return "; ".join(named) + (f"; and {how_many - len(named):,} more" if how_many > len(named) else "")
