"""Many product processes that each enqueue one item at a time, and how many items a second are in Postgres by that.

    python -m tests.benchmarks.crowd [--products 100] [--items 20000] [--json FILE] [--profile DIR]

From the first `enqueue` to the last row, on the processors that the products use too, with the default settings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.profiling import profiled
from tests.benchmarks.service import Service, running

BAR_PER_S: Final = 500
AIM_PER_S: Final = 1000

out = Console()


def main(
    products: Annotated[int, typer.Option(help="Processes that enqueue.")] = 100,
    items: Annotated[int, typer.Option(help="Items of all of them.")] = 20_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
    profile: Annotated[Path | None, typer.Option(help="Where py-spy puts a profile of each service.")] = None,
) -> None:
    """Measure, and show it beside the bar."""
    with running("[brokers.shop]\nurl = '{redis_url}'\n") as service:
        before = service.cpu_seconds()
        with profiled(service.pids(), profile):
            began_at, ended_at, products_cpu_s = _run(service, products, items // products)
        cpu = {name: round(spent - before[name], 2) for name, spent in service.cpu_seconds().items()}
    seconds = ended_at - began_at
    measured = {
        "products": products,
        "items": items,
        "seconds": round(seconds, 2),
        "accepted_per_s": round(items / seconds),
        "bar_per_s": BAR_PER_S,
        "aim_per_s": AIM_PER_S,
        "cpu_seconds": {"products": round(products_cpu_s, 2), **cpu},
        "cpus": os.cpu_count(),
    }
    _show(measured)
    if json_file is not None:
        json_file.write_text(json.dumps(measured, indent=2))


def _run(service: Service, products: int, each: int) -> tuple[float, float, float]:
    """When the first item was enqueued, when the last was in Postgres, and the products' CPU seconds."""
    words = ["tests.benchmarks.products", str(products), str(each), service.redis_url]
    with (
        subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as crowd,
        psycopg.connect(service.database_url, autocommit=True) as connection,
    ):
        deadline = time.monotonic() + 60 + products * each / 50
        while (there := _accepted(connection)) < products * each:
            assert time.monotonic() < deadline, f"{there} of {products * each} accepted"
            time.sleep(0.1)  # the table is watched from outside
        ended_at = time.time()
        assert crowd.stdout is not None
        began_at, cpu_s = (float(word) for word in crowd.stdout.read().split())
    return began_at, ended_at, cpu_s


def _accepted(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT sum(n)::bigint FROM tally WHERE noun = 'item'").fetchone()
    return (row and row[0]) or 0


def _show(measured: dict[str, Any]) -> None:
    table = Table("", "CPU s", "CPU ms an item")
    for name, spent in measured["cpu_seconds"].items():
        table.add_row(name, f"{spent:.2f}", f"{spent / measured['items'] * 1000:.2f}")
    out.print(table)
    rate = measured["accepted_per_s"]
    verdict = "holds" if rate >= BAR_PER_S else "MISSES"
    out.print(
        f"{measured['products']} products, {measured['items']:,} items in {measured['seconds']} s:"
        f" {rate:,} items/s accepted. The bar is {BAR_PER_S} ({verdict}), the aim {AIM_PER_S:,}"
    )


if __name__ == "__main__":
    typer.run(main)
