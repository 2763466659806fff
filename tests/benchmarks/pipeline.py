"""The whole way against the bare script, in one run, on the same sandbox in its instant mode.

    python -m tests.benchmarks.pipeline --items 100000 [--json FILE] [--rounds 3] [--profile DIR]

From the first `enqueue_many` to the last item's callback message in the product's queue, every item durable.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_models.ledger.database import Database
from overnight_models.ledger.money import runs
from tests.benchmarks.profiling import profiled
from tests.benchmarks.service import Service, running
from tests.benchmarks.stored import grown_by, stored

CONFIG: Final = """
[lanes.default]
max_items = {batch}
max_wait = "10s"

[workspaces.default]
queue_limit = 500000

[timing]
poll_every = "500ms"
sweep_every = "500ms"

[brokers.shop]
url = "{redis_url}"
max_queue = 10000000
"""

out = Console()


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 100_000,
    batch: Annotated[int, typer.Option(help="Items in a batch at most.")] = 25_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
    rounds: Annotated[int, typer.Option(help="How often.")] = 1,
    profile: Annotated[Path | None, typer.Option(help="Where py-spy puts a profile of each service.")] = None,
) -> None:
    """Run both and compare."""
    measured = [measure(items, batch, profile) for _ in range(rounds)]
    if json_file is not None:
        json_file.write_text(json.dumps(measured if rounds > 1 else measured[0], indent=2))


def measure(items: int, batch: int, profile: Path | None = None) -> dict[str, Any]:
    """One run: the bare script, then Overnight."""
    with running(CONFIG, batch=min(items, batch, 100_000)) as service:
        bare = _bare(items, service)
        empty = stored(service)
        before = service.cpu_seconds()
        with profiled(service.pids(), profile, items=items):
            overnight_s, producer = _overnight(items, service)
        cpu = {name: round(spent - before[name], 2) for name, spent in service.cpu_seconds().items()}
        peak = service.peak_rss_mb()
        with Database(service.database_url).transaction() as connection:
            timeline = runs.timeline(connection, "bench")
        disk = sum(grown_by(empty, stored(service)).values())
    result = {
        "items": items,
        "batch": batch,
        "bare_seconds": round(bare.seconds, 2),
        "overnight_seconds": round(overnight_s, 2),
        "ratio": round(overnight_s / bare.seconds, 2),
        "items_per_second": round(items / overnight_s),
        "disk_bytes_per_item": round(disk / items),
        "stages": _stages(timeline, producer.began_at),
        "cpu_seconds": {"bare": round(bare.cpu_seconds, 2), "producer": round(producer.cpu_seconds, 2), **cpu},
        "peak_rss_mb": {"bare": round(bare.peak_mb), "producer": round(producer.peak_mb), **peak},
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
    _show(result)
    return result


@dataclass(frozen=True)
class Process:
    """What a process of a product says of itself."""

    began_at: float
    seconds: float
    cpu_seconds: float
    peak_mb: float


def _run(*words: str) -> list[float]:
    done = subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def _bare(items: int, service: Service) -> Process:
    return Process(time.time(), *_run("tests.benchmarks.bare", str(items), str(service.home / "bare.jsonl")))


def _overnight(items: int, service: Service) -> tuple[float, Process]:
    product = redis.Redis.from_url(service.redis_url)
    words = ["tests.benchmarks.producer", str(items), service.redis_url]
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60 + items / 200
        while (arrived := int(product.llen("bench"))) < items:
            assert time.monotonic() < deadline, f"{arrived} of {items} callbacks"
            time.sleep(0.01)  # the product's queue is watched from outside
        ended_at = time.time()
        assert process.stdout is not None
        producer = Process(*(float(word) for word in process.stdout.read().split()))
    return ended_at - producer.began_at, producer


def _stages(timeline: runs.Timeline, began_at: float) -> dict[str, float]:
    """When the last item had passed each stage, in seconds from the start."""
    return {
        stage.removesuffix("_at"): round(at.timestamp() - began_at, 2)
        for stage, at in vars(timeline).items()
        if isinstance(at, datetime)
    }


def _show(result: dict[str, Any]) -> None:
    table = Table("", "seconds", "CPU s", "peak MB")
    cpu, peak = result["cpu_seconds"], result["peak_rss_mb"]
    table.add_row("bare script", str(result["bare_seconds"]), str(cpu["bare"]), str(peak["bare"]))
    together = sum(spent for name, spent in cpu.items() if name != "bare")
    table.add_row("Overnight", str(result["overnight_seconds"]), f"{together:.2f}", "")
    for stage, at in result["stages"].items():
        table.add_row(f"  last {stage}", str(at), "", "")
    for name, mb in peak.items():
        if name != "bare":
            table.add_row(f"  {name}", "", str(cpu.get(name, "")), str(mb))
    out.print(table)
    out.print(f"ratio {result['ratio']}, {result['items_per_second']:,} items/s")


if __name__ == "__main__":
    typer.run(main)
