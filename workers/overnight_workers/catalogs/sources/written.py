"""Rows that Python reads, written down as text, so that DuckDB reads them like any file and as often as wanted."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from overnight_workers.catalogs.sources.csv_files import CsvSource

_SEPARATOR: Final = ","
_QUOTE: Final = '"'


def write(rows: Iterable[Sequence[str]], columns: Sequence[str], room: Path) -> Path:
    """Texts of cells as a file of this process' own. Flat memory."""
    file = room / "rows.csv"
    with file.open("w", encoding="utf-8", errors="surrogatepass", newline="") as target:
        # all of it quoted: a lone carriage return isn't otherwise, and would end a row
        writer = csv.writer(target, delimiter=_SEPARATOR, quotechar=_QUOTE, lineterminator="\n", quoting=csv.QUOTE_ALL)
        writer.writerow(columns)
        writer.writerows(rows)
    return file


def source_of(file: Path, columns: Sequence[str], named: str) -> CsvSource:
    """What `write` wrote, as a source. named: where the rows came from."""
    return CsvSource(file, columns, _SEPARATOR, _QUOTE, named, new_line="\\n")
