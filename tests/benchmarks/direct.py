"""The direct road against a bare script that keeps nothing, in one run, on the same sandbox answering in 50 ms.

    python -m tests.benchmarks.direct [--items 10000] [--calls 100] [--json FILE]

From the first `enqueue_many` to the last item's callback message in the product's queue, every item durable.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated, Final

import redis
import typer

from overnight_models.ledger.database import Database
from overnight_models.ledger.rows import fetch_all
from tests.benchmarks.profiling import profiled
from tests.benchmarks.service import Service, running
from tests.benchmarks.work import SANDBOX

CONFIG: Final = """
[lanes.default]
road = "direct"

[workspaces.default.limits."*"]
requests = 100000000
input_tokens = 100000000000
output_tokens = 100000000000

[direct]
calls = {calls}

[timing]
sweep_every = "500ms"

[brokers.shop]
url = "{redis_url}"
max_queue = 10000000
"""
_PROCESSES: Final = 2


def main(
    items: Annotated[int, typer.Option(help="How many.")] = 10_000,
    calls: Annotated[int, typer.Option(help="Calls under way at once.")] = 100,
    latency: Annotated[str, typer.Option(help="How long the sandbox takes for each.")] = "50ms",
    profile: Annotated[Path | None, typer.Option(help="Where py-spy puts a profile of each service.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Run both and compare."""
    limits = ("--latency", latency, "--messages-per-minute", "100000000")
    with running(CONFIG, sandbox=(*SANDBOX, *limits), calls=max(calls // _PROCESSES, 1)) as service:
        bare_s, bare_cpu_s, bare_mb, bare_median_ms, bare_late_ms = _bare(items, calls, service)
        before = service.cpu_seconds()
        with profiled(service.pids(), profile):
            overnight_s = _overnight(items, service)
        cpu = {name: round(spent - before[name], 2) for name, spent in service.cpu_seconds().items()}
        peak = service.peak_rss_mb()["direct"]
        states = _states(service)
    result = {
        "items": items,
        "calls": calls,
        "bare_seconds": round(bare_s, 2),
        "bare_items_per_second": round(items / bare_s),
        "bare_ms": {"median": round(bare_median_ms, 1), "95th": round(bare_late_ms, 1)},
        "overnight_seconds": round(overnight_s, 2),
        "overnight_items_per_second": round(items / overnight_s),
        "times": round(bare_s / overnight_s, 2),
        "states": states,
        "cpu_seconds": {"bare": round(bare_cpu_s, 2), **cpu},
        # what a busy machine says too: the sending process beside the bare script, each for one item
        "sender_cpu_ms_an_item": {
            "bare": round(1000 * bare_cpu_s / items, 2),
            "direct": round(1000 * cpu["direct"] / items, 2),
        },
        "peak_rss_mb": {"bare": round(bare_mb), "direct": peak},
    }
    print(json.dumps(result, indent=2))
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2))


def _bare(items: int, calls: int, service: Service) -> list[float]:
    words = ["tests.benchmarks.bare_direct", str(items), str(calls), str(service.home / "bare.jsonl")]
    done = subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE, text=True)
    return [float(word) for word in done.stdout.split()]


def _overnight(items: int, service: Service) -> float:
    product = redis.Redis.from_url(service.redis_url)
    words = ["tests.benchmarks.producer", str(items), service.redis_url]
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120 + items / 20
        while (arrived := int(product.llen("bench"))) < items:
            assert time.monotonic() < deadline, f"{arrived} of {items} callbacks: {_states(service)}"
            time.sleep(0.01)  # the product's queue is watched from outside
        ended_at = time.time()
        assert process.stdout is not None
        began_at = float(process.stdout.read().split()[0])
    return ended_at - began_at


def _states(service: Service) -> dict[str, int]:
    with Database(service.database_url).transaction() as connection:
        rows = fetch_all(connection, "SELECT state, count(*) AS n FROM item GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


if __name__ == "__main__":
    typer.run(main)
