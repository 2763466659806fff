"""CSV: every cell as it is written, by a dialect that was declared and isn't guessed again."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path

from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources.files import as_utf8, place_of
from overnight_workers.catalogs.sources.source import MOST_NAMED, Source

_WHY = {
    "MISSING COLUMNS": "has too few cells",
    "TOO MANY COLUMNS": "has too many cells",
    "UNQUOTED VALUE": "has a quote that isn't closed, or text behind one",
    "INVALID ENCODING": "has bytes that aren't of the declared encoding",
    "LINE SIZE OVER MAXIMUM": "is longer than a line may be",
}


class CsvSource(Source):
    """A CSV file in UTF-8."""

    def __init__(self, file: Path, columns: Sequence[str], separator: str, quote: str, named: str) -> None:
        """named: the file as its reader knows it."""
        self._file, self._named, self._given = file, named, tuple(columns)
        self._dialect = f"delim={_literal(separator)}, quote={_literal(quote)}, escape={_literal(quote)}"
        super().__init__(columns, self._scan_of(columns, ""))

    def _scan_of(self, columns: Sequence[str], more: str) -> str:
        names = ", ".join(f"{_literal(name)}: 'VARCHAR'" for name in columns)
        return (
            f"read_csv({_literal(str(self._file))}, auto_detect=false, header=true, {self._dialect},"
            f" columns={{{names}}}, null_padding=false, max_line_size=16000000{more})"
        )

    def faults(self) -> list[str]:
        """Lines that are too short or too long, or aren't quoted as they should be."""
        import duckdb

        with duckdb.connect() as connection:
            connection.execute(
                f"SELECT count(*) FROM {self._scan_of(self.columns, ', store_rejects=true, rejects_limit=1000')}"
            )
            connection.execute(f"CREATE TEMP TABLE t AS FROM {self._scan_of(self.columns, ', store_rejects=true')}")
            found = connection.execute(
                "SELECT line, min(error_type), min(error_message), min(csv_line) FROM reject_errors"
                " GROUP BY line ORDER BY line"
            ).fetchall()
        named = [f"{self._named}:{line}: {_sentence(kind, why)}: {str(text)[:60]!r}" for line, kind, why, text in found]
        return named[:MOST_NAMED] + (
            [f"{self._named}: and {len(named) - MOST_NAMED:,} more lines"] if len(named) > MOST_NAMED else []
        )


def _sentence(kind: str, why: str) -> str:
    counts = why.partition("Expected Number of Columns: ")[2].split(" Found: ")
    words = _WHY.get(kind, why.partition("\n")[0])
    return f"the row {words}" + (f" ({counts[1].strip()} of {counts[0]})" if len(counts) == 2 else "")


def open_csv(declared: DeclaredSource, directory: Path, room: Path) -> Source:
    """A CSV file as its dialect is declared. Raises BadSource."""
    place = place_of(declared, directory)
    separator = declared.separator or ","
    quote = '"' if declared.quote is None else declared.quote
    file = as_utf8(place, declared.encoding or "utf-8", room, end=".csv")
    columns = header(file, separator, quote, place)
    try:
        return CsvSource(file, columns, separator, quote, place)
    except BadSource as error:
        raise BadSource([f"{place}:1: {fault}" for fault in error.faults]) from error


def header(file: Path, separator: str, quote: str, named: str) -> list[str]:
    """The names of the columns: the first line."""
    with file.open(encoding="utf-8", errors="replace", newline="") as text:
        rows = csv.reader(
            itertools.islice(text, 1000),
            delimiter=separator,
            quotechar=quote or None,
            quoting=csv.QUOTE_MINIMAL if quote else csv.QUOTE_NONE,
        )
        try:
            found = next(rows, None)
        except csv.Error as error:
            raise BadSource([f"{named}:1: the header can't be read: {error}"]) from error
    if not found:
        raise BadSource([f"{named}:1: it is empty: a header and rows are expected"])
    return found


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


__all__ = ["CsvSource", "header", "open_csv", "quoted"]
