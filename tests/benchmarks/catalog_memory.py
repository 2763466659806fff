"""The most memory that the steps of a catalog's run take, by rows: a plan, keeping it, choosing what is sent.

    python -m tests.benchmarks.catalog_memory --rows 1000000 --rows 5000000

Every row is new; then every row is known, and the memory of them is written. The rows are those of
tests/benchmarks/catalog.py, as Parquet. Each step is a process of its own.
"""

from __future__ import annotations

import os
import tempfile
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.catalog import measured, plan, write_rows
from tests.servers import copy_database, running_postgres

_KIND: Final = "parquet"
out = Console()


def main(
    rows: Annotated[list[int] | None, typer.Option(help="How many; several times for several tables.")] = None,
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
            for step, deed in _STEPS.items():
                processor, clock, memory = measured(context, deed, directory, _KIND)
                table.add_row(f"{number:,}", step, f"{processor:.2f} s", f"{clock:.2f} s", f"{memory:.0f} MB")
    out.print(table)


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
        publishing.remember(connection, taken, changed, publishing.NONE_GONE)
    advancing.leave(taken)


_STEPS: Final = {
    "dry run, all new": _dry_run,
    "plan kept": _keep,
    "rows chosen": _choose,
    "memory written": _remember,
    "dry run, all known": _dry_run,
}


if __name__ == "__main__":
    typer.run(main)
