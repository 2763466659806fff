"""The most memory that the steps of a catalog's run take, by rows: a plan, keeping it, choosing what is sent.

    python -m tests.benchmarks.catalog_memory --rows 1000000 --rows 5000000 [--source sqlite]

Every row is new; then every row is known, and the memory of them is written; then half of them are gone. The rows are
those of tests/benchmarks/catalog.py, as Parquet or as a query of SQLite or PostgreSQL. Each step is a process of its
own.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import orjson
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.catalog import measured, plan, write_rows
from tests.servers import copy_database, running_postgres

_AT_ONCE: Final = 10_000
out = Console()


class Kind(StrEnum):
    """Where the rows come from."""

    PARQUET = "parquet"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


def main(
    rows: Annotated[list[int] | None, typer.Option(help="How many; several times for several tables.")] = None,
    source: Annotated[Kind, typer.Option(help="Where the rows come from.")] = Kind.PARQUET,
) -> None:
    """Measure each step for each number of rows."""
    context = get_context("spawn")
    table = Table("rows", "step", "processor", "clock", "memory")
    for number in rows or [1_000_000, 5_000_000]:
        with tempfile.TemporaryDirectory(prefix="overnight-bench-") as name, running_postgres() as postgres:
            directory = Path(name)
            os.environ |= {
                "OVERNIGHT_DATABASE_URL": copy_database(postgres.url),
                "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1/0",
                "OVERNIGHT_DATA_DIR": name,
            }
            write_rows(directory, number)
            if source is not Kind.PARQUET:
                _into_a_table(directory, source, os.environ["OVERNIGHT_DATABASE_URL"])
            _prepare_half(directory, source)
            for step, deed in _STEPS.items():
                processor, clock, memory = measured(context, deed, directory, source.value)
                table.add_row(f"{number:,}", step, f"{processor:.2f} s", f"{clock:.2f} s", f"{memory:.0f} MB")
    out.print(table)


def _into_a_table(directory: Path, source: Kind, postgres: str) -> None:
    """The same rows in a table, with their declaration."""
    import duckdb

    with duckdb.connect() as connection:
        given = connection.execute(f"SELECT * FROM read_parquet('{directory / 'rows.parquet'}')")
        columns = [column[0] for column in given.description or ()]
        url = "sqlite:///rows.db" if source is Kind.SQLITE else postgres
        if source is Kind.SQLITE:
            with closing(sqlite3.connect(directory / "rows.db")) as table, table:
                table.execute(f"CREATE TABLE given ({', '.join(columns)})")
                while some := given.fetchmany(_AT_ONCE):
                    table.executemany(f"INSERT INTO given VALUES ({', '.join('?' * len(columns))})", some)
        else:
            with psycopg.connect(postgres) as database, database.cursor() as cursor:
                cursor.execute(f"CREATE TABLE given ({', '.join(f'{column} text' for column in columns)})")
                with cursor.copy("COPY given FROM STDIN") as copy:
                    while some := given.fetchmany(_AT_ONCE):
                        for row in some:
                            copy.write_row(row)
    declared = (directory / "parquet.toml").read_text()
    query = f'query = "SELECT * FROM given"\nurl = "{url}"'
    (directory / f"{source}.toml").write_text(declared.replace('path = "rows.parquet"', query))


def _dry_run(directory: Path, kind: str) -> None:
    plan(directory, kind)


def _keep(directory: Path, kind: str) -> None:
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.runs import advancing
    from overnight_workers.catalogs.runs.beginning import begin
    from overnight_workers.catalogs.runs.taken import Wish

    taken = advancing.take(begin(read_catalog(directory / f"{kind}.toml"), Wish(approved=True)).id, "benchmark")
    assert taken is not None
    advancing.advance(taken)
    advancing.leave(taken)


def _choose(directory: Path, kind: str) -> None:
    """As `enqueue` does it, up to the first row."""
    from overnight_models.ledger.catalogs import runs as ledger
    from overnight_workers import process
    from overnight_workers.catalogs import memory
    from overnight_workers.catalogs.opened import opened
    from overnight_workers.catalogs.recipe import recipe_of
    from overnight_workers.catalogs.runs import advancing, sending
    from overnight_workers.catalogs.runs.taken import planned

    with process.database().transaction() as connection:
        (run_id,) = ledger.to_be_advanced(connection)
    taken = advancing.take(run_id, "benchmark")
    assert taken is not None
    with opened(taken.catalog, recipe_of(taken.catalog)) as source:
        memory.load(source.connection, "planned", planned(taken))
        sending.choose(source.connection, taken, None)
        next(source.rows.read(source.connection, "SELECT n, state, input FROM chosen", same_input=True))
    advancing.leave(taken)


def _remember(directory: Path, kind: str) -> None:
    """As `publish` ends a run, when every row has come back."""
    from overnight_models.ledger.catalogs import runs
    from overnight_workers import process
    from overnight_workers.catalogs.memory import Came, Learned
    from overnight_workers.catalogs.runs import advancing, publishing
    from overnight_workers.catalogs.runs.taken import planned

    with process.database().transaction() as connection:
        (run_id,) = runs.to_be_advanced(connection)
    taken = advancing.take(run_id, "benchmark")
    assert taken is not None
    learned = Learned()
    for piece in planned(taken):
        for entry in piece:
            raw = entry.tobytes()
            learned.add(raw[:16], raw[:8], Came.OK)
    with publishing.came_back(taken, learned) as changed, process.database().transaction() as connection:
        publishing.remember(connection, taken, changed, has_gone=False)
    advancing.leave(taken)


def _prepare_half(directory: Path, source: Kind) -> None:
    """The same catalog with half of its rows, and a table of answers that has all of them."""
    import duckdb

    with duckdb.connect() as connection:
        rows = f"SELECT * FROM read_parquet('{directory / 'rows.parquet'}')"
        connection.execute(f"COPY ({rows} WHERE hash(id) % 2 = 0) TO '{directory / 'half.parquet'}'")
        ids = connection.execute(f"SELECT id, 1 FROM ({rows})")
        with closing(sqlite3.connect(directory / "answers.db")) as table, table:
            table.execute("CREATE TABLE answers (id text PRIMARY KEY, overnight_run integer)")
            while some := ids.fetchmany(_AT_ONCE):
                table.executemany("INSERT INTO answers VALUES (?, ?)", some)
    declared = (directory / "parquet.toml").read_text().replace("rows.parquet", "half.parquet")
    sink = '[sink]\ntable = "answers"\nurl = "sqlite:///answers.db"\ngone = "delete"\n'
    (directory / "half.toml").write_text(f'name = "{source}"\n{declared}{sink}')


def _half_gone(directory: Path, kind: str) -> None:
    """A whole run: what is gone is deleted in the sink, and leaves the memory."""
    from overnight_models.ledger.catalogs import runs
    from overnight_workers import process
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.runs import advancing
    from overnight_workers.catalogs.runs.beginning import begin
    from overnight_workers.catalogs.runs.taken import Wish

    with process.database().transaction() as connection:
        (run_id,) = runs.to_be_advanced(connection)
        runs.want_stop(connection, run_id, "a benchmark")  # the one that was only planned
    stopped = advancing.take(run_id, "benchmark")
    assert stopped is not None
    assert advancing.advance(stopped).is_over
    taken = advancing.take(begin(read_catalog(directory / "half.toml"), Wish(approved=True)).id, "benchmark")
    assert taken is not None
    while not advancing.advance(taken).is_over:
        pass
    ended = advancing.read(taken.run.id)
    assert orjson.loads(ended.counts)["gone"], ended


_STEPS: Final = {
    "dry run, all new": _dry_run,
    "plan kept": _keep,
    "rows chosen": _choose,
    "memory written": _remember,
    "dry run, all known": _dry_run,
    "a run, half of them gone": _half_gone,
}


if __name__ == "__main__":
    typer.run(main)
