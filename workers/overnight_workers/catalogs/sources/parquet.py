"""Parquet: columns with types of their own, each brought to the text of its cells."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final

from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import DeclaredSource
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.sources.files import local, place_of
from overnight_workers.catalogs.sources.source import Source
from overnight_workers.held import held

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LONG_DECIMALS: Final = "SELECT name, precision FROM parquet_schema({}) WHERE precision > 38"


def columns_of(declared: DeclaredSource, directory: Path, room: Path, wanted: Collection[str]) -> tuple[str, ...]:
    """The columns. wanted: not asked, all of them are known."""
    return open_rows(declared, directory, room, None).columns


def open_rows(declared: DeclaredSource, directory: Path, room: Path, max_rows: int | None) -> Source:
    """A Parquet file. max_rows: not needed, rows are read when they are asked for. Raises BadSource."""
    import duckdb

    place = place_of(declared, directory)
    file = local(place, room, end=".parquet")
    scan = f"read_parquet({cells.one_file(file)})"
    try:
        with _describing().cursor() as connection:
            described = connection.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
            # DuckDB reads them as doubles: findings/duckdb-reads-large-parquet-decimals-as-doubles.sh
            long = connection.execute(_LONG_DECIMALS.format(cells.named_file(file))).fetchall()
    except duckdb.Error as error:
        raise BadSource([f"{place}: it can't be read as Parquet: {str(error).partition(chr(10))[0]}"]) from error
    if long:
        named = ", ".join(f"{name} ({digits})" for name, digits in long)
        fault = f"{place}: decimals of more than 38 digits, which would be read inexactly: {named}"
        raise BadSource([f"{fault}: write them with fewer digits, or as texts"])
    columns = [str(name) for name, *_ in described]
    return Source(columns, scan, [cells.as_text(str(name), str(kind)) for name, kind, *_ in described])


@held
def _describing() -> DuckDBPyConnection:
    """A DuckDB that only looks at the columns of files: a file is looked at more than once, and each takes 20 ms."""
    import duckdb

    return duckdb.connect(config={"threads": 1})
