"""Files that a column names: their size and time of change stand in place of their content, until that is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from overnight_workers.catalogs.cells import quoted
from overnight_workers.catalogs.sources import files

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT_ONCE: Final = 20_000


def column_of(column: str) -> str:
    """The column that has the stamps of the files that a column names."""
    return f"overnight_stamp of {column}"


def stamped(connection: DuckDBPyConnection, view: str, columns: tuple[str, ...], directory: Path) -> str:
    """The rows of a view with a column of stamps for each of these columns, as a query. Memory stays flat.

    directory: where paths begin from. The files are looked at now.
    """
    joined, added = [], []
    for number, column in enumerate(columns):
        table = f"stamps_{number}"
        connection.execute(f"CREATE TABLE {table} (cell VARCHAR, stamp VARCHAR)")
        cursor = connection.cursor()
        cursor.execute(f"SELECT DISTINCT {quoted(column)} FROM {view} WHERE {quoted(column)} IS NOT NULL")
        while group := cursor.fetchmany(_AT_ONCE):
            cells = [str(cell) for (cell,) in group]
            given = {"cell": cells, "stamp": [_stamp(cell, directory) for cell in cells]}
            connection.register("some_stamps", {name: np.array(texts, dtype=object) for name, texts in given.items()})
            connection.execute(f"INSERT INTO {table} SELECT cell, stamp FROM some_stamps")
            connection.unregister("some_stamps")
        joined.append(f"LEFT JOIN {table} ON {table}.cell = {view}.{quoted(column)}")
        added.append(f"{table}.stamp AS {quoted(column_of(column))}")
    return f"SELECT {view}.*, {', '.join(added)} FROM {view} {' '.join(joined)}"


def _stamp(cell: str, directory: Path) -> str:
    """Empty for what isn't there, and for a URL: asking for half a million of them each night is no way."""
    if files.is_url(cell):
        return ""
    try:
        stat = (directory / cell).stat()
    except (OSError, ValueError):
        return ""
    return f"{stat.st_size}/{stat.st_mtime_ns}"
