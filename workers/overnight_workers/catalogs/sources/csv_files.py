"""CSV: every cell as it is written, by a dialect that was declared and isn't guessed again."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from overnight_workers.catalogs.cells import literal, one_file
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources.files import as_utf8, decoded, opened, place_of
from overnight_workers.catalogs.sources.source import MOST_NAMED, Source, check_names

_BEGINNING: Final = 1 << 20
"""Bytes that a header may have."""
_WHY: Final = {
    "MISSING COLUMNS": "has too few cells",
    "TOO MANY COLUMNS": "has too many cells",
    "UNQUOTED VALUE": "has a quote that isn't closed, or text behind one",
    "INVALID ENCODING": "has bytes that aren't of the declared encoding",
    "LINE SIZE OVER MAXIMUM": "is longer than a line may be",
}


class CsvSource(Source):
    """A CSV file in UTF-8."""

    def __init__(
        self,
        file: Path,
        columns: Sequence[str],
        separator: str,
        quote: str,
        named: str,
        *,
        new_line: str = "",
        skip_lines: int = 0,
    ) -> None:
        """named: the file as people know it. new_line: what ends a row; empty: whatever ends the first.

        skip_lines: those above the names.
        """
        self._file, self._named, self._given = file, named, tuple(columns)
        self._dialect = f"delim={literal(separator)}, quote={literal(quote)}, escape={literal(quote)}"
        if new_line:
            self._dialect += f", new_line={literal(new_line)}"
        if skip_lines:
            self._dialect += f", skip={skip_lines}"
        super().__init__(columns, self._scan_of(columns, ""))

    def _scan_of(self, columns: Sequence[str], more: str) -> str:
        names = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
        return (
            f"read_csv({one_file(self._file)}, auto_detect=false, header=true, {self._dialect},"
            f" columns={{{names}}}, null_padding=false, max_line_size=16000000, buffer_size=16000000{more})"
        )

    def faults(self) -> list[str]:
        """Lines that are too short or too long, aren't quoted as they should be, or end in another way."""
        import duckdb

        try:
            named = self._rejected()
        except duckdb.Error:
            named = self._other_ends()
        more = len(named) - MOST_NAMED
        return named[:MOST_NAMED] + ([f"{self._named}: and {more:,} more lines"] if more > 0 else [])

    def _rejected(self) -> list[str]:
        import duckdb

        with duckdb.connect() as connection:
            connection.execute(f"CREATE TEMP TABLE t AS FROM {self._scan_of(self.columns, ', store_rejects=true')}")
            rejected = connection.execute(
                "SELECT line, min(error_type), min(error_message), min(csv_line) FROM reject_errors"
                " GROUP BY line ORDER BY line"
            ).fetchall()
        return [
            f"{self._named}:{line}: {_sentence(kind, why)}: {str(text)[:60]!r}" for line, kind, why, text in rejected
        ]

    def _other_ends(self) -> list[str]:
        """Lines that end otherwise than the first one, which DuckDB can't read and can't name."""
        faults = []
        with self._file.open("rb") as lines:
            first = next(lines, b"").endswith(b"\r\n")
            for number, line in enumerate(lines, start=2):
                if line.endswith(b"\n") and line.endswith(b"\r\n") != first:
                    faults.append(
                        f"{self._named}:{number}: the line doesn't end as the first one does: save it with one kind"
                    )
        return faults


def _sentence(kind: str, why: str) -> str:
    counts = why.partition("Expected Number of Columns: ")[2].split(" Found: ")
    words = _WHY.get(kind, why.partition("\n")[0])
    return f"the row {words}" + (f" ({counts[1].strip()} of {counts[0]})" if len(counts) == 2 else "")


def columns_of(declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The columns. wanted: not asked, all of them are known."""
    place = place_of(declared, directory)
    separator, quote = _dialect(declared)
    beginning = room / "beginning.csv"
    with opened(place) as source:
        beginning.write_bytes(source.read(_BEGINNING))
    text = decoded(beginning.read_bytes(), declared.encoding or "utf-8", place)
    return tuple(header(io.StringIO(text, newline=""), separator, quote, place, declared.skip_lines or 0))


def open_rows(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    """A CSV file as its dialect is declared. max_rows: not needed, rows are read when they are asked for.

    Raises BadSource.
    """
    place = place_of(declared, directory)
    separator, quote = _dialect(declared)
    file = as_utf8(place, declared.encoding or "utf-8", room, end=".csv")
    with file.open(encoding="utf-8", errors="replace", newline="") as text:
        columns = header(text, separator, quote, place, declared.skip_lines or 0)
    return CsvSource(file, columns, separator, quote, place, skip_lines=declared.skip_lines or 0)


def _dialect(declared: DeclaredSource) -> tuple[str, str]:
    return declared.separator or ",", '"' if declared.quote is None else declared.quote


def header(text: Iterable[str], separator: str, quote: str, named: str, skip_lines: int = 0) -> list[str]:
    """The names of the columns: the first row below lines that are skipped. Raises BadSource."""
    line = skip_lines + 1
    rows = csv.reader(
        islice(text, skip_lines, None),
        delimiter=separator,
        quotechar=quote or None,
        quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
    )
    try:
        names = next(rows, None)
    except csv.Error as error:
        raise BadSource([f"{named}:{line}: the header can't be read: {error}"]) from error
    if not names:
        raise BadSource([f"{named}:{line}: it is empty: names of columns and rows are expected (see `skip_lines`)"])
    try:
        check_names(names)
    except BadSource as error:
        raise BadSource([f"{named}:{line}: {fault}" for fault in error.faults]) from error
    return names
