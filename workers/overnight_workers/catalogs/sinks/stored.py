"""How a file of answers is read again: every column with the type that it was written with, nothing found out anew.

What DuckDB finds out changes values: a text that looks like a moment becomes one and is written in another form, and
`""` of a CSV, which is an empty text, becomes null (findings/duckdb-csv-loses-empty-texts-on-its-own-way-back.sh).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_workers.catalogs.cells import literal, one_file, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONGEST_ROW: Final = 16_000_000
"""Bytes of a row with its answer."""
_FOUND_IN_TEXTS: Final = ("DATE", "TIME", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "UUID")
"""Types that DuckDB gives to texts of JSON that look like them."""


def stored_answers(connection: DuckDBPyConnection, path: Path, types: Mapping[str, str]) -> str:
    """DuckDB's SQL for the rows of a file that a sink has written.

    types: of the columns of today. What else stands in the file keeps its text, or its own type in Parquet. Raises
    duckdb.Error when the file can't be read.
    """
    place = one_file(path)
    if path.suffix == ".parquet":
        return f"read_parquet({place})"
    if path.suffix == ".csv":
        return (
            f"read_csv({place}, header = true, all_varchar = true, delim = ',', quote = '\"', escape = '\"',"
            f" allow_quoted_nulls = false, max_line_size = {_LONGEST_ROW}, buffer_size = {_LONGEST_ROW})"
        )
    longest = f"maximum_object_size = {_LONGEST_ROW}"
    # all of its lines: a column may be null in the first thousands of them
    everything = f"read_json({place}, format = 'newline_delimited', sample_size = -1, {longest})"
    columns = {
        name: types.get(name) or ("VARCHAR" if kind in _FOUND_IN_TEXTS else kind)
        for name, kind, *_ in connection.execute(f"DESCRIBE SELECT * FROM {everything}").fetchall()
    }
    given = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in columns.items())
    return f"read_json({place}, format = 'newline_delimited', columns = {{{given}}}, {longest})"


def as_of_today(columns: list[str], types: Mapping[str, str]) -> str:
    """What to select of such a file: columns of today first, each with its type, null where it isn't in the file."""
    selected = [
        f"TRY_CAST({quoted(name)} AS {kind}) AS {quoted(name)}"
        if name in columns
        else f"CAST(NULL AS {kind}) AS {quoted(name)}"
        for name, kind in types.items()
    ]
    return ", ".join(selected + [quoted(name) for name in columns if name not in types])
