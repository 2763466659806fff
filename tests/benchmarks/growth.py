"""Time, memory and bytes on disk against the number of items: a table and a plot.

python -m tests.benchmarks.growth --plot growth.png [--sizes 1000,10000,100000,1000000] [--json FILE]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tests.benchmarks.pipeline import measure

WORKERS = ("intake", "batches", "submit", "results", "deliver")


def main(
    sizes: Annotated[str, typer.Option(help="How many items, parted by commas.")] = "1000,10000,100000,1000000",
    plot: Annotated[Path | None, typer.Option(help="A PNG of it.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure the whole way at each size."""
    measured = [measure(int(size), batch=25_000) for size in sizes.split(",")]
    table = Table(
        "items",
        "bare s",
        "Overnight s",
        "ratio",
        "items/s",
        "producer MB",
        "largest worker MB",
        "bytes on disk an item",
    )
    for run in measured:
        figures = (run["bare_seconds"], run["overnight_seconds"], run["ratio"], run["items_per_second"])
        sizes_of = (run["peak_rss_mb"]["producer"], _largest(run), run["disk_bytes_per_item"])
        table.add_row(f"{run['items']:,}", *map(str, (*figures, *sizes_of)))
    Console().print(table)
    if json_file is not None:
        json_file.write_text(json.dumps(measured, indent=2))
    if plot is not None:
        _draw(measured, plot)


def _largest(run: dict[str, Any]) -> int:
    return int(max(run["peak_rss_mb"][name] for name in WORKERS))


def _draw(measured: list[dict[str, Any]], path: Path) -> None:
    # only now: the processes that are measured begin with what this one has in memory
    import matplotlib.pyplot as plt

    figure, (time, memory, disk) = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    sizes = [run["items"] for run in measured]
    for name, label in (("bare_seconds", "bare script"), ("overnight_seconds", "Overnight")):
        time.loglog(sizes, [run[name] for run in measured], marker="o", label=label)
    time.set(xlabel="items", ylabel="seconds", title="time")
    for name in ("bare", "producer"):
        memory.semilogx(sizes, [run["peak_rss_mb"][name] for run in measured], marker="o", label=name)
    memory.semilogx(sizes, [_largest(run) for run in measured], marker="o", label="largest worker")
    memory.set(xlabel="items", ylabel="peak MB", title="memory of a process", ylim=(0, None))
    disk.loglog(
        sizes, [run["disk_bytes_per_item"] * run["items"] / 1e6 for run in measured], marker="o", label="Postgres"
    )
    disk.set(xlabel="items", ylabel="MB", title="on disk")
    for axes in (time, memory, disk):
        axes.legend()
        axes.grid(visible=True, alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    typer.run(main)
