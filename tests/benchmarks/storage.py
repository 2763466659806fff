"""What an item leaves in Postgres, in bytes on disk and of write-ahead log, and how soon it is read by its key.

    python -m tests.benchmarks.storage --items 50000 [--json FILE]

Items of 1.3 KB, English text, answered with 0.9 KB, each with a callback; from the first enqueue to the last callback.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_producers import Overnight
from tests.benchmarks.pipeline import CONFIG
from tests.benchmarks.service import Service, running
from tests.benchmarks.stored import grown_by, stored

_TEXT_BYTES: Final = 1180
_SANDBOX: Final = ("--instant", "--answer-bytes", "430")
_LARGEST: Final = 12

out = Console()


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 50_000,
    lookups: Annotated[int, typer.Option(help="Outcomes to be read by their keys.")] = 500,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure it and show it."""
    with running(CONFIG, sandbox=_SANDBOX, batch=25_000) as service:
        before = stored(service)
        _send(service, items)
        after = stored(service)
        looked_ms = _looked_up(service, items, lookups)
    grown = grown_by(before, after)
    result = {
        "items": items,
        "disk_bytes_per_item": round(sum(grown.values()) / items),
        "log_bytes_per_item": round((after.log - before.log) / items),
        "outcome_by_key_ms": {"p50": round(looked_ms[0], 2), "p95": round(looked_ms[1], 2)},
        "disk_bytes_per_item_by_table": {name: round(size / items) for name, size in grown.items() if size > items},
    }
    _show(result)
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2))


def _send(service: Service, items: int) -> None:
    words = ["tests.benchmarks.producer", str(items), service.redis_url, "0", str(_TEXT_BYTES)]
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.DEVNULL)
    product = redis.Redis.from_url(service.redis_url)
    deadline = time.monotonic() + 60 + items / 200
    while (arrived := int(product.llen("bench"))) < items:
        assert time.monotonic() < deadline, f"{arrived} of {items} callbacks"
        time.sleep(0.1)  # the product's queue is watched from outside
    time.sleep(2)  # what comes after the last callback: its delivery's last state, a sweep or two


def _looked_up(service: Service, items: int, lookups: int) -> tuple[float, float]:
    """Half of them, and 95 of 100, took no longer; in milliseconds."""
    overnight = Overnight(service.redis_url)
    draw = random.Random(7)
    took: list[float] = []
    for number in [0] * 10 + [draw.randrange(items) for _ in range(lookups)]:
        began = time.perf_counter()
        outcome = overnight.outcome(key=f"item-{number}")
        took.append((time.perf_counter() - began) * 1000)
        assert outcome is not None, number
    quantiles = statistics.quantiles(took[10:], n=20)
    return quantiles[9], quantiles[18]


def _show(result: dict[str, Any]) -> None:
    table = Table("", "bytes an item")
    table.add_row("on disk", f"{result['disk_bytes_per_item']:,}")
    by_table = sorted(result["disk_bytes_per_item_by_table"].items(), key=lambda named: -named[1])
    for name, size in by_table[:_LARGEST]:
        table.add_row(f"  {name}", f"{size:,}")
    table.add_row("write-ahead log", f"{result['log_bytes_per_item']:,}")
    out.print(table)
    looked = result["outcome_by_key_ms"]
    out.print(f"one outcome by its key: half within {looked['p50']} ms, 95 of 100 within {looked['p95']} ms")


if __name__ == "__main__":
    typer.run(main)
