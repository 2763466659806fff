"""Rows in order of their keys, some at a time: DuckDB sorts long texts in memory only, so no more than fit are sorted.

Keys and lengths of all rows are narrow, and put in order at once. They say which rows lie side by side in the file: a
range of keys with about `AT_ONCE` bytes. Lines of new rows are parted by range on disk; old rows are in a table of
DuckDB, mostly in order already, and a range is read from the first of its places there to the last.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_workers.catalogs.cells import literal, one_file, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BETTER: Final = "may_do_better"
"""A column of new rows beside those of the sink."""
AT_ONCE: Final = 16_000_000
"""Bytes of a range."""
_SHORT: Final = 1_000
_SHORT_AT_ONCE: Final = 400_000_000
"""Bytes of rows that have fewer than `_SHORT` each: so many DuckDB sorts by way of its disk, which is sooner."""
_MOST: Final = 256
"""Ranges: each is a file that is open while lines are parted."""
_PLACE: Final = '"place of the row"'
"""A name that no column has."""
_GROUP_BYTES: Final = 16 << 20
"""Of text in a row group of Parquet, about: DuckDB has a whole one in memory."""
_GROUP_ROWS: Final = (2_048, 122_880)
"""The fewest and the most of a row group."""
_FETCHED: Final = 10_000
_FIXED: Final = 8
"""Bytes of a cell beside those of its text."""
_SHORTEST_BUFFER: Final = 1 << 20
"""Bytes. DuckDB reads JSON by twice the longest object, for each of its threads: 32 MB, unless it is told a length."""


@dataclass(frozen=True)
class Lines:
    """A run's answers as lines of JSON."""

    file: Path
    rows: int
    longest: int
    """Bytes of the longest."""

    @property
    def bytes(self) -> int:
        """Of all of them."""
        return self.file.stat().st_size


@dataclass(frozen=True)
class Range:
    """Rows that lie side by side in the file."""

    lines: Lines
    """New ones."""
    number: int | None = None
    """None: all rows."""


class OrderedRows:
    """The old rows of a file and the new ones, in a connection with one thread that keeps their order.

    of_row_group: rows like these that a row group of Parquet may have.
    """

    def __init__(
        self, connection: DuckDBPyConnection, old: str, lines: Lines, keys: Sequence[str], types: Mapping[str, str]
    ) -> None:
        """old: a query of the old rows. keys: the columns that tell rows apart. types: of the columns of new rows."""
        self._connection, self._lines = connection, lines
        self._keys, self._types = tuple(map(quoted, keys)), types
        connection.execute(f"CREATE TABLE every_old AS SELECT *, row_number() OVER () AS {_PLACE} FROM ({old})")
        self._width = self._width_of("every_old")
        sums = f"SELECT count(*), coalesce(sum({self._width}), 0)::BIGINT FROM every_old"
        ((rows, size),) = connection.execute(sums).fetchall()
        self._bytes = size + lines.bytes
        mean = self._bytes // max(rows + lines.rows, 1)
        fewest, most = _GROUP_ROWS
        self.of_row_group = min(max(_GROUP_BYTES // max(mean, 1), fewest), most)
        fit = _SHORT_AT_ONCE if mean < _SHORT else AT_ONCE
        self._ranges = [Range(lines)] if self._bytes <= fit else self._divided()

    def in_order(self, merged: str) -> str:
        """A query of all rows in order of their keys. merged: one of some of them, by the tables `old` and `came`."""
        merged = f"{merged} ORDER BY {', '.join(self._keys)}"
        for number, some in enumerate(self._ranges):
            self._show(some)
            if len(self._ranges) == 1:
                return merged
            self._connection.execute(f"{'INSERT INTO ordered' if number else 'CREATE TABLE ordered AS'} {merged}")
        return "SELECT * FROM ordered"

    def _show(self, which: Range) -> None:
        """Make rows of a range the tables `old` and `came`."""
        self._connection.execute(f"CREATE OR REPLACE TABLE came AS SELECT * FROM {self._read(which.lines)}")
        some = ""
        if which.number is not None:
            which.lines.file.unlink(missing_ok=True)
            here = f"SELECT place FROM ranged WHERE is_old AND range = {which.number}"
            bounds = f"SELECT min(place), max(place) FROM ({here})"
            ((first, last),) = self._connection.execute(bounds).fetchall()
            # the bounds spare reading the others, where the old rows are in order
            some = f"WHERE {_PLACE} BETWEEN {first or 0} AND {last or 0} AND {_PLACE} IN ({here})"
        self._connection.execute(f"CREATE OR REPLACE TABLE old AS SELECT * EXCLUDE ({_PLACE}) FROM every_old {some}")

    def _divided(self) -> list[Range]:
        """The ranges; lines are parted by them."""
        size = max(AT_ONCE, self._bytes // _MOST)
        keys = ", ".join(f"{name} AS key_{number}" for number, name in enumerate(self._keys))
        order = ", ".join(f"key_{number}" for number in range(len(self._keys)))
        came = self._read(self._lines)
        self._connection.execute(f"""
            CREATE TABLE ranged AS SELECT is_old, place, (sum(bytes) OVER (ORDER BY {order}))::BIGINT // {size} AS range
            FROM (
                SELECT true AS is_old, {_PLACE} AS place, {self._width} AS bytes, {keys} FROM every_old
                UNION ALL
                SELECT false, row_number() OVER (), {self._width_of(came)}, {keys} FROM {came}
            )
        """)
        ((last,),) = self._connection.execute("SELECT max(range) FROM ranged").fetchall()
        return self._parted(last + 1)

    def _parted(self, ranges: int) -> list[Range]:
        """The same, with their lines in a file of each."""
        rows = [0] * ranges
        places = self._connection.execute("SELECT range FROM ranged WHERE NOT is_old ORDER BY place")
        names = [self._lines.file.with_name(f"answers-{number}.jsonl") for number in range(ranges)]
        with self._lines.file.open("rb") as lines, ExitStack() as opened:
            files = [opened.enter_context(name.open("wb")) for name in names]
            while some := places.fetchmany(_FETCHED):
                for (number,), line in zip(some, lines, strict=False):
                    files[number].write(line)
                    rows[number] += 1
        return [Range(Lines(name, rows[number], self._lines.longest), number) for number, name in enumerate(names)]

    def _read(self, lines: Lines) -> str:
        """Lines as a FROM clause."""
        if not lines.rows:
            columns = ", ".join(f"NULL::{kind} AS {quoted(name)}" for name, kind in self._types.items())
            return f"(SELECT {columns} WHERE false)"
        given = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in self._types.items())
        return (
            f"read_json({one_file(lines.file)}, format = 'newline_delimited', columns = {{{given}}},"
            f" maximum_object_size = {max(lines.longest, _SHORTEST_BUFFER)})"
        )

    def _width_of(self, relation: str) -> str:
        """SQL of about how many bytes a row has."""
        described = self._connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
        widths = [f"coalesce(strlen({quoted(name)}), 0)" for name, kind, *_ in described if kind == "VARCHAR"]
        return " + ".join([str(_FIXED * len(described)), *widths])
