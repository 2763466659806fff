"""The direct road beside a bare script that keeps nothing and LiteLLM's Router, in one run; the API answers in 50 ms.

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
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from tests.benchmarks.profiling import profiled
from tests.benchmarks.rivals import Ran, litellm
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
    rival_items: Annotated[int, typer.Option(help="How many LiteLLM's Router gets; 0 leaves it out.")] = 2_000,
    profile: Annotated[Path | None, typer.Option(help="Where py-spy puts a profile of each service.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Run all and compare."""
    limits = ("--latency", latency, "--messages-per-minute", "100000000")
    with running(CONFIG, sandbox=(*SANDBOX, *limits), calls=max(calls // _PROCESSES, 1)) as service:
        bare = _bare(items, calls, service)
        before = service.cpu_seconds()
        with profiled(service.pids(), profile):
            overnight_s = _overnight(items, service)
        cpu = {name: round(spent - before[name], 2) for name, spent in service.cpu_seconds().items()}
        peak = service.peak_rss_mb()["direct"]
        median_ms, late_ms = _calls(max(items // 5, 1), service, items)
        states = _states(service)
        rival = litellm(rival_items, calls, service.sandbox_url, service.redis_url) if rival_items else None
    result = {
        "items": items,
        "calls": calls,
        "bare_seconds": round(bare.seconds, 2),
        "bare_items_per_second": round(items / bare.seconds),
        "bare_ms": {"median": round(bare.median_ms, 1), "95th": round(bare.late_ms, 1)},
        "overnight_seconds": round(overnight_s, 2),
        "overnight_items_per_second": round(items / overnight_s),
        "times": round(bare.seconds / overnight_s, 2),
        # from the moment that says its bytes are about to be written, to its recorded end
        "own_ms_over_bare": {"median": round(median_ms - bare.median_ms, 1), "95th": round(late_ms - bare.late_ms, 1)},
        "litellm": None if rival is None else _beside(rival, rival_items, items / overnight_s),
        "states": states,
        # what a busy machine says too; on two cores that do nothing else, 2,000 / all is the items a second
        "cpu_ms_an_item": _by_process(cpu, bare, items),
        "peak_rss_mb": {"bare": round(bare.peak_mb), "direct": peak},
    }
    print(json.dumps(result, indent=2))
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2))


def _by_process(cpu: dict[str, float], bare: Ran, items: int) -> dict[str, float]:
    """Milliseconds of processor for one item: of the bare script, of each service, and of all services together."""
    each = {name: round(1000 * seconds / items, 3) for name, seconds in cpu.items()}
    return {"bare": round(1000 * bare.cpu_s / items, 3), **each, "all": round(1000 * sum(cpu.values()) / items, 3)}


def _beside(rival: Ran, items: int, overnight_a_second: float) -> dict[str, float]:
    a_second = items / rival.seconds
    return {
        "items_per_second": round(a_second),
        "times": round(overnight_a_second / a_second, 1),
        "cpu_ms_an_item": round(1000 * rival.cpu_s / items, 2),
        "peak_rss_mb": round(rival.peak_mb),
        "median_ms": round(rival.median_ms, 1),
    }


_NOTE_CALLS: Final = (
    "CREATE UNLOGGED TABLE call_took (ms float)",
    """
    CREATE FUNCTION note_call() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO call_took VALUES (1000 * extract(epoch FROM clock_timestamp() - OLD.let_go_at)); RETURN OLD;
    END $$
    """,
    "CREATE TRIGGER note_call AFTER DELETE ON direct_call FOR EACH ROW EXECUTE FUNCTION note_call()",
)


def _calls(items: int, service: Service, first: int) -> list[float]:
    """How long calls take in Overnight, in ms: median and 95th of 100. In a run of their own, since it costs a bit."""
    with Database(service.database_url).transaction() as connection:
        for statement in _NOTE_CALLS:
            execute(connection, statement)
    _overnight(items, service, first)
    shares = "unnest(percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY ms))"
    with Database(service.database_url).transaction() as connection:
        return fetch_column(connection, float, f"SELECT {shares} FROM call_took")


def _bare(items: int, calls: int, service: Service) -> Ran:
    words = ["tests.benchmarks.bare_direct", str(items), str(calls), str(service.home / "bare.jsonl")]
    done = subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE, text=True)
    return Ran(*map(float, done.stdout.split()))


def _overnight(items: int, service: Service, first: int = 0) -> float:
    """How long it takes from the first `enqueue_many` to the last callback. first: the number of the first item."""
    product = redis.Redis.from_url(service.redis_url)
    words = ["tests.benchmarks.producer", str(items), service.redis_url, str(first)]
    with subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 120 + items / 20
        while (arrived := int(product.llen("bench"))) < first + items:
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
