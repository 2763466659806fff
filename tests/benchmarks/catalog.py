"""A night in which nothing changed: the difference and the plan of a large catalog, beside DuckDB's own hash join.

    python -m tests.benchmarks.catalog --rows 500000 [--times 3]

The rows are made of the airports of the package airportsdata. The join compares the same two tables by their key, cell
by cell. Each is measured in a process of its own: seconds of processor and of the clock, and its most memory.
"""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from tests.servers import copy_database, running_postgres

_DECLARATION: Final = """
key = "id"
model = "claude-haiku-5-5"
max_tokens = 200

[source]
path = "rows.{kind}"

[prompt]
row = "Describe {{{{ name }}}} in {{{{ city }}}}, {{{{ country }}}} at {{{{ lat }}}}, {{{{ lon }}}}"
"""
_JOIN: Final = """
    SELECT count(*) FROM {now} AS now JOIN {then} AS then_ USING (id)
    WHERE now.name IS DISTINCT FROM then_.name OR now.city IS DISTINCT FROM then_.city
       OR now.country IS DISTINCT FROM then_.country OR now.lat IS DISTINCT FROM then_.lat
       OR now.lon IS DISTINCT FROM then_.lon
"""
out = Console()


def main(
    rows: Annotated[int, typer.Option(help="How many.")] = 500_000,
    times: Annotated[int, typer.Option(help="How often each is measured; the least counts.")] = 3,
) -> None:
    """Measure both, for CSV and Parquet."""
    context = get_context("spawn")
    table = Table("source", "what", "processor", "clock", "memory", "beside the join")
    with tempfile.TemporaryDirectory(prefix="overnight-bench-") as name, running_postgres() as postgres:
        directory = Path(name)
        os.environ |= {
            "OVERNIGHT_DATABASE_URL": copy_database(postgres.url),
            "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1/0",
            "OVERNIGHT_DATA_DIR": name,
        }
        write_rows(directory, rows)
        for kind in ("csv", "parquet"):
            measured(context, remember, directory, kind)
            least: dict[str, tuple[float, float, float]] = {}
            for _ in range(times):
                for what, deed in (("hash join", _join), ("diff and plan", _unchanged)):
                    figures = measured(context, deed, directory, kind)
                    least[what] = min(least.get(what, figures), figures)
            for what, (processor, clock, memory) in least.items():
                share = processor / least["hash join"][0]
                table.add_row(kind, what, f"{processor:.2f} s", f"{clock:.2f} s", f"{memory:.0f} MB", f"{share:.2f}")
    out.print(table)


def write_rows(directory: Path, rows: int) -> None:
    """Write so many rows as CSV and Parquet, with a declaration for each."""
    import airportsdata
    import duckdb

    airports = list(airportsdata.load("ICAO").values())
    with (directory / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name", "city", "country", "lat", "lon", "elevation"])
        for number in range(rows):
            airport = airports[number % len(airports)]
            cells = (airport["city"], airport["country"], airport["lat"], airport["lon"], airport["elevation"])
            writer.writerow([f"{airport['icao']}-{number}", f"{airport['name']} {number}", *cells])
    connection = duckdb.connect()
    given = f"SELECT * FROM read_csv('{directory / 'rows.csv'}', all_varchar = true)"
    connection.execute(f"COPY ({given}) TO '{directory / 'rows.parquet'}' (FORMAT parquet)")
    for kind in ("csv", "parquet"):
        (directory / f"{kind}.toml").write_text(_DECLARATION.format(kind=kind))


def measured(context: Any, deed: Callable[[Path, str], None], directory: Path, kind: str) -> tuple[float, float, float]:
    """Seconds of processor and of the clock, and MB, in a process of its own."""
    reading, writing = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(deed, directory, kind, writing))
    process.start()
    figures: tuple[float, float, float] = reading.recv()
    process.join()
    return figures


def _measure(deed: Callable[[Path, str], None], directory: Path, kind: str, said: Connection) -> None:
    for module in ("duckdb", "overnight_workers.catalogs.reading", "overnight_workers.catalogs.runs.planning"):
        import_module(module)  # imports are of neither
    began, before = time.monotonic(), time.process_time()
    deed(directory, kind)
    spent, took = time.process_time() - before, time.monotonic() - began
    # not ru_maxrss, which a process takes over from the one that starts it
    status = Path("/proc/self/status").read_text()
    peak_kb = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
    said.send((spent, took, int(peak_kb) / 1024))


def _join(directory: Path, kind: str) -> None:
    import duckdb

    file = directory / f"rows.{kind}"
    scan = f"read_csv('{file}', all_varchar = true)" if kind == "csv" else f"read_parquet('{file}')"
    connection = duckdb.connect(config={"threads": 2})
    assert connection.execute(_JOIN.format(now=scan, then=scan)).fetchall() == [(0,)]


def remember(directory: Path, kind: str) -> None:
    """As if a run had sent every row."""
    from overnight_models.ledger.catalogs import memory as ledger
    from overnight_workers import process
    from overnight_workers.catalogs import memory
    from overnight_workers.catalogs.diff import Wanted, differences
    from overnight_workers.catalogs.opened import opened
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.recipe import hashes, recipe_of

    catalog = read_catalog(directory / f"{kind}.toml")
    recipe = recipe_of(catalog)
    with opened(catalog, recipe) as source:
        diff = differences(
            source.connection, source.rows, hashes(recipe), [], (), Wanted(), key_faults=source.key_faults
        )
        pieces = list(diff.entries())
    catalog_id = process.names().catalog(catalog.name)
    with process.database().transaction() as connection:
        for entries in pieces:
            entries["recipe"] = ledger.recipe_number(connection, catalog_id, hashes(recipe))
            entries["state"] = memory.Came.OK
            ledger.replace_entries(connection, catalog_id, memory.parts(entries))


def plan(directory: Path, kind: str) -> Mapping[str, Any]:
    """The plan of a run that would begin now."""
    from overnight_workers.catalogs.reading import read_catalog
    from overnight_workers.catalogs.runs import planning
    from overnight_workers.catalogs.runs.taken import Wish

    diff, document = planning.made(read_catalog(directory / f"{kind}.toml"), Wish())
    assert diff.rows
    return document


def _unchanged(directory: Path, kind: str) -> None:
    document = plan(directory, kind)
    assert document["send"] == 0, document


if __name__ == "__main__":
    typer.run(main)
