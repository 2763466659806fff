"""The build of a commit and this one, in turn: times, processor seconds, memory and bytes, and the ratios between them.

    python -m tests.benchmarks.against REV [--rounds 3] [--items 100000] [--json FILE]

REV is taken out of git into a directory of its own, with its own environment from its own lock. What measures is of
today for both: the benchmarks, and the sandbox that plays the API.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

_HERE: Final = Path(__file__).parents[2]
_INSTRUMENTS: Final = ("tests/benchmarks", "workers/overnight_workers/sandbox")
_OF_ITS_OWN: Final = ("sandbox", "bare")
"""Not ours to make faster: left out of the sum of processor seconds."""
_NO_WORKERS: Final = (*_OF_ITS_OWN, "producer", "postgres", "redis", "fork-server")

out = Console()


def main(
    rev: Annotated[str, typer.Argument(help="A commit, a tag or a branch.")],
    rounds: Annotated[int, typer.Option(help="How often each.")] = 3,
    items: Annotated[int, typer.Option(help="How many go the whole way.")] = 100_000,
    stored: Annotated[int, typer.Option(help="How many are weighed.")] = 50_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure both and compare."""
    with _built(rev) as then:
        builds = {rev: then, "this build": _HERE}
        measured: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
        for number in range(1, rounds + 1):
            for name, tree in builds.items():
                out.print(f"round {number}: {name}")
                measured[name].append(_measured(tree, items, stored))
    _show(measured)
    if json_file is not None:
        json_file.write_text(json.dumps(measured, indent=2))


@contextmanager
def _built(rev: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="overnight-against-") as name:
        tree = Path(name) / "build"
        _run(_HERE, "git", "worktree", "add", "--quiet", "--detach", str(tree), rev)
        try:
            for path in _INSTRUMENTS:
                shutil.rmtree(tree / path)
                shutil.copytree(_HERE / path, tree / path, ignore=shutil.ignore_patterns("__pycache__"))
            _run(tree, "make", ".venv")
            yield tree
        finally:
            _run(_HERE, "git", "worktree", "remove", "--force", str(tree))


def _measured(tree: Path, items: int, stored: int) -> dict[str, float]:
    way = _figures(tree, "pipeline", items)
    weight = _figures(tree, "storage", stored)
    spent = {name: seconds for name, seconds in way["cpu_seconds"].items() if name not in _OF_ITS_OWN}
    peaks = {name: peak for name, peak in way["peak_rss_mb"].items() if name not in _NO_WORKERS}
    return {
        "ratio to the bare script": way["ratio"],
        "seconds": way["overnight_seconds"],
        "processor seconds, without the sandbox": round(sum(spent.values()), 2),
        **{f"  {name}": seconds for name, seconds in spent.items()},
        "peak MB of the largest worker": max(peaks.values()),
        "bytes on disk an item": weight["disk_bytes_per_item"],
        **{f"  {name}": size for name, size in weight["disk_bytes_per_item_by_table"].items() if size >= _WORTH_A_LINE},
        "bytes of write-ahead log an item": weight["log_bytes_per_item"],
        "outcome by key, p50 ms": weight["outcome_by_key_ms"]["p50"],
        "outcome by key, p95 ms": weight["outcome_by_key_ms"]["p95"],
    }


_WORTH_A_LINE: Final = 20


def _figures(tree: Path, benchmark: str, items: int) -> dict[str, Any]:
    file = tree / f"{benchmark}.json.against"
    try:
        _run(
            tree, ".venv/bin/python", "-m", f"tests.benchmarks.{benchmark}", "--items", str(items), "--json", str(file)
        )
        figures: dict[str, Any] = json.loads(file.read_text())
        return figures
    finally:
        file.unlink(missing_ok=True)


def _run(directory: Path, *words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(words, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)} in {directory} ended with {done.returncode}:\n{done.stderr or done.stdout}")


def _show(measured: dict[str, list[dict[str, float]]]) -> None:
    (then, before), (now, after) = measured.items()
    table = Table("median", then, now, "now / then", "each round, then | now")
    for figure in dict.fromkeys([*before[0], *after[0]]):
        was, is_ = ([run[figure] for run in runs if figure in run] for runs in (before, after))
        ratio = f"{median(is_) / median(was):.2f}" if was and is_ and median(was) else ""
        halves = [f"{median(values):,.6g}" if values else "" for values in (was, is_)]
        table.add_row(
            figure, *halves, ratio, " | ".join(" ".join(f"{value:g}" for value in each) for each in (was, is_))
        )
    out.print(table)


if __name__ == "__main__":
    typer.run(main)
