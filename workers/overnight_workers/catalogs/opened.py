"""A catalog's rows, opened to be read as often as wanted: its source in a DuckDB of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from overnight_models.errors import PermanentError
from overnight_workers.catalogs import stamps
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.recipe import Recipe
from overnight_workers.catalogs.rows import Rows
from overnight_workers.catalogs.scratch import scratch
from overnight_workers.catalogs.sources import open_source
from overnight_workers.configuration.reading import near

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY: Final = "112MB"
"""What DuckDB keeps in memory at most; what is more goes to a temporary directory."""
WRITING: Final = "160MB"
"""The same while a file of answers is written."""
_THREADS: Final = 2
_INTERRUPTED: Final = "Query interrupted"


@dataclass(frozen=True)
class Opened:
    """Rows, and the connection that reads them."""

    connection: DuckDBPyConnection
    rows: Rows
    key_faults: Callable[[], list[str]]
    """Names the rows whose keys are null or stand twice."""
    check_unchanged: Callable[[], None]
    """Raises TransientError when the source was written since it was opened."""


@contextmanager
def duck(*, in_order: bool = False, memory: str = MEMORY) -> Iterator[DuckDBPyConnection]:
    """A DuckDB that is gone at the end, within bounds. Ctrl-C in a query is a KeyboardInterrupt, as anywhere else.

    in_order: rows come as they stand in their source.
    """
    import duckdb

    with scratch() as directory:
        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": _THREADS,
            "temp_directory": str(directory),
        }
        connection = duckdb.connect(config=config)
        try:
            connection.execute(f"SET preserve_insertion_order = {str(in_order).lower()}")
            yield connection
        except RuntimeError as error:
            # what DuckDB 2.0 makes of Ctrl-C while a query runs
            if str(error) == _INTERRUPTED:
                raise KeyboardInterrupt from error
            raise
        finally:
            connection.close()


@contextmanager
def opened(catalog: Catalog, recipe: Recipe, where: str | None = None) -> Iterator[Opened]:
    """A catalog's rows. where: only those of which this SQL expression of DuckDB is true; its cells are texts.

    Raises BadSource, and PermanentError for an expression that can't be used.
    """
    with duck() as connection, open_source(catalog) as source, source.reading():
        _check_columns(catalog, recipe, source.columns)
        connection.execute(f"CREATE VIEW every_row AS {source.query}")
        _choose(connection, where)
        columns, directory = recipe.file_columns, catalog.directory
        looked = stamps.stamped(connection, "some_rows", columns, directory) if columns else "SELECT * FROM some_rows"
        connection.execute(f"CREATE VIEW source AS {looked}")
        rows = Rows(catalog.key, recipe)
        yield Opened(connection, rows, lambda: source.key_faults(connection, catalog.key), source.check_unchanged)


def _choose(connection: DuckDBPyConnection, where: str | None) -> None:
    """Make the view `some_rows` of every_row. Raises PermanentError for an expression that fails with any row.

    It is worked out for all rows here: a cell that can't be cast would fail the plan later, again and again.
    """
    import duckdb

    if where is None:
        connection.execute("CREATE VIEW some_rows AS SELECT * FROM every_row")
        return
    connection.execute("SELECT count(*) FROM every_row").fetchall()  # what fails here is the source's fault
    try:
        # line breaks, so that a comment in it ends before the parenthesis
        statements = connection.extract_statements(
            f"CREATE VIEW some_rows AS SELECT * FROM every_row WHERE (\n{where}\n)"
        )
        if len(statements) != 1:
            raise PermanentError(f"--where {where!r} is {len(statements)} statements, not an expression")
        connection.execute(statements[0])
        connection.execute("SELECT count(*) FROM some_rows").fetchall()
    except duckdb.Error as error:
        said = str(error).partition("\n")[0]
        raise PermanentError(f"--where {where!r} isn't an expression of these columns: {said}") from error


def _check_columns(catalog: Catalog, recipe: Recipe, columns: Sequence[str]) -> None:
    """Raise BadSource with every column that the catalog names and its source hasn't (any more)."""
    there = {name.lower() for name in columns}
    lacking = [name for name in dict.fromkeys((*catalog.key, *recipe.columns)) if name.lower() not in there]
    if lacking:
        raise BadSource([f"the source has no column {name!r}{near(name, columns)}" for name in lacking])
