"""The whole way against the bare script, in one run, on the same sandbox in its instant mode.

    python -m tests.benchmarks.pipeline --items 100000 [--json FILE]

From the first `enqueue_many` to the last item's callback message in the product's queue, every item durable.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import psutil
import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_models.ledger import runs
from overnight_models.ledger.database import Database
from overnight_producers import Item, Overnight, task
from overnight_workers.installation import Installation
from overnight_workers.supervisor import Supervisor
from tests.benchmarks.bare import params

CONFIG: Final = """
[lanes.default]
max_items = {max_items}
max_wait = "10s"

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
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
    rounds: Annotated[int, typer.Option(help="How often.")] = 1,
) -> None:
    """Run both and compare."""
    measured = [measure(items) for _ in range(rounds)]
    if json_file is not None:
        json_file.write_text(json.dumps(measured if rounds > 1 else measured[0], indent=2))


def measure(items: int) -> dict[str, Any]:
    """One run: the bare script, then Overnight."""
    with tempfile.TemporaryDirectory(prefix="overnight-bench-") as name:
        home = Path(name)
        home.chmod(0o711)
        os.environ["OVERNIGHT_CONFIG"] = str(home / "overnight.toml")
        with Supervisor(home / "data", say=lambda news: None) as supervisor:
            (home / "overnight.toml").write_text("")
            installation = Installation(
                home / "data",
                sandbox=True,
                sandbox_options=["--instant", "--answer-bytes", "100"],
                flower=False,
                say=lambda news: None,
            )
            installation.start_servers(supervisor)
            (home / "overnight.toml").write_text(
                CONFIG.format(max_items=min(items, 100_000), redis_url=installation.urls["redis_url"])
            )
            installation.start_workers(supervisor)
            os.environ.update(installation.environment)
            bare_s, bare_mb = _bare(items, home)
            began_at = datetime.now().astimezone()
            before = _cpu_seconds(supervisor.pids())
            overnight_s, producer_s = _overnight(items, installation.urls["redis_url"])
            cpu = {name: round(spent - before[name], 2) for name, spent in _cpu_seconds(supervisor.pids()).items()}
            peak = _peak_rss_mb(supervisor.pids())
            with Database(installation.urls["database_url"]).transaction() as connection:
                timeline = runs.timeline(connection, "bench")
    stages = _stages(timeline, began_at)
    result = {
        "items": items,
        "bare_seconds": round(bare_s, 2),
        "overnight_seconds": round(overnight_s, 2),
        "ratio": round(overnight_s / bare_s, 2),
        "items_per_second": round(items / overnight_s),
        "producer_seconds": round(producer_s, 2),
        "stages": stages,
        "cpu_seconds": cpu,
        "peak_rss_mb": {"bare": round(bare_mb), **peak},
        "python": platform.python_version(),
        "cpus": os.cpu_count(),
    }
    _show(result)
    return result


def _bare(items: int, home: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "tests.benchmarks.bare", str(items), str(home / "bare.jsonl")]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[0]), float(answer[1])


def _overnight(items: int, redis_url: str) -> tuple[float, float]:
    overnight = Overnight(redis_url)
    product = redis.Redis.from_url(redis_url)
    done = task("bench.done", queue="bench", broker="shop")
    began = time.monotonic()
    overnight.enqueue_many((Item(params=params(n), key=f"item-{n}", callback=done) for n in range(items)), run="bench")
    produced_s = time.monotonic() - began
    deadline = began + 60 + items / 200
    while int(product.llen("bench")) < items:
        assert time.monotonic() < deadline, f"{product.llen('bench')} of {items} callbacks"
        time.sleep(0.02)  # the product's queue is watched from outside
    return time.monotonic() - began, produced_s


def _stages(timeline: runs.Timeline, began_at: datetime) -> dict[str, float]:
    """When the last item had passed each stage, in seconds from the start."""
    return {
        stage.removesuffix("_at"): round((at - began_at).total_seconds(), 2)
        for stage, at in vars(timeline).items()
        if isinstance(at, datetime)
    }


def _cpu_seconds(pids: dict[str, int]) -> dict[str, float]:
    """What each service has used of the processors, its ended children included."""
    spent = {"producer": _spent(psutil.Process())}
    for name, pid in pids.items():
        leader = psutil.Process(pid)
        spent[name] = sum(_spent(one) for one in [leader, *leader.children(recursive=True)])
    return spent


def _spent(one: psutil.Process) -> float:
    times = one.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _peak_rss_mb(pids: dict[str, int]) -> dict[str, int]:
    """The most that any process of a service ever had."""
    peaks: dict[str, int] = {"producer": _high_water_mb(os.getpid())}
    for name, pid in pids.items():
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        peaks[name] = max(_high_water_mb(one) for one in family)
    return peaks


def _high_water_mb(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _show(result: dict[str, Any]) -> None:
    table = Table("", "seconds", "CPU s", "peak MB")
    table.add_row("bare script", str(result["bare_seconds"]), "", str(result["peak_rss_mb"]["bare"]))
    table.add_row("Overnight", str(result["overnight_seconds"]), f"{sum(result['cpu_seconds'].values()):.2f}", "")
    for stage, at in result["stages"].items():
        table.add_row(f"  last {stage}", str(at), "", "")
    for name, mb in result["peak_rss_mb"].items():
        if name != "bare":
            table.add_row(f"  {name}", "", str(result["cpu_seconds"].get(name, "")), str(mb))
    out.print(table)
    out.print(f"ratio {result['ratio']}, {result['items_per_second']:,} items/s")


if __name__ == "__main__":
    typer.run(main)
