"""Many batches at the API: what it takes to poll them, and how long after its end a batch's first callback comes.

python -m tests.benchmarks.open_batches requests [--batches 1000] [--json FILE]
python -m tests.benchmarks.open_batches ends [--batches 200] [--json FILE]

The default timing. Times are the sandbox's own: its log, and the `ended_at` that it tells.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final

import httpx2
import psycopg
import redis
import typer

from overnight_producers import Overnight
from overnight_workers.settings import Timing
from tests.benchmarks.bars import Bar, quantiles, report
from tests.benchmarks.callbacks import arriving
from tests.benchmarks.calls import Call, read_calls
from tests.benchmarks.service import Service, running
from tests.benchmarks.work import item

CONFIG: Final = """
[lanes.default]
max_items = {items}
max_wait = "0s"

[brokers.shop]
url = "{redis_url}"
"""
MOST_REQUESTS_A_TICK: Final = 2
MOST_TO_CALLBACK_S: Final = 30
TICKS: Final = 6
WITHIN_S: Final = 600

app = typer.Typer(help=__doc__)
Batches = Annotated[int, typer.Option(help="How many.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures there.")]


@app.command()
def requests(batches: Batches = 1000, json_file: JsonFile = None) -> None:
    """How often the API is called at each tick of the beat, while so many batches are open there."""
    every_s = Timing().poll_every
    with running(CONFIG, sandbox=("--turnaround", "9h", "--verbose"), items=1) as service:
        began_at = time.time()
        Overnight(service.redis_url).enqueue_many(item(number) for number in range(batches))
        _wait_until_open(service, batches)
        opened_at = time.time()
        time.sleep(every_s / 2)  # what the last create rang for is over
        watched_at = time.time()
        time.sleep(TICKS * every_s)
        calls = read_calls(service)
    while_opening = Counter(call.name for call in calls if began_at < call.arrived_at < opened_at)
    ticks = _ticks([call for call in calls if call.arrived_at > watched_at], every_s)
    print(f"{batches} batches opened in {opened_at - began_at:.0f} s: {dict(while_opening)}")
    bars = [
        Bar(f"requests at one of {len(ticks)} ticks", max(map(len, ticks)), MOST_REQUESTS_A_TICK, ""),
        Bar("seconds of one", max(max(call.answered_at - call.arrived_at for call in tick) for tick in ticks), 10, "s"),
    ]
    figures = {
        "batches": batches,
        "while_opening": while_opening,
        "ticks": [[call.name for call in tick] for tick in ticks],
    }
    report(bars, figures, json_file)


def _wait_until_open(service: Service, batches: int) -> None:
    deadline = time.monotonic() + WITHIN_S
    with psycopg.connect(service.database_url, autocommit=True) as connection:
        while True:
            row = connection.execute("SELECT count(*) FROM batch WHERE state = 'open'").fetchone()
            if row == (batches,):
                return
            assert time.monotonic() < deadline, f"{row} of {batches} batches are open"
            time.sleep(0.2)  # the ledger is watched from outside


def _ticks(calls: list[Call], every_s: float) -> list[list[Call]]:
    """Calls that come together; a tick is over when there was none for half the time to the next."""
    ticks: list[list[Call]] = []
    for call in calls:
        if not ticks or call.arrived_at - ticks[-1][-1].arrived_at > every_s / 2:
            ticks.append([])
        ticks[-1].append(call)
    return ticks


@app.command()
def ends(batches: Batches = 200, json_file: JsonFile = None) -> None:
    """How long it takes from the end of a batch to its first callback; ends are spread over some minutes."""
    items = 20
    ended_at: dict[str, float] = {}
    first_at: dict[str, float] = {}
    with running(CONFIG, sandbox=("--turnaround", "1m"), items=items) as service:
        product = redis.Redis.from_url(service.redis_url)
        Overnight(service.redis_url).enqueue_many(item(number) for number in range(batches * items))
        for callback in arriving(product, batches * items, within_s=WITHIN_S):
            first_at.setdefault(callback.api_batch_id, callback.at)
        document: Any = httpx2.get(f"{service.sandbox_url}/sandbox/batches", params={"limit": 10_000}).json()
    for batch in document["data"]:
        ended_at[batch["id"]] = datetime.fromisoformat(batch["ended_at"]).timestamp()
    took = [first_at[api_id] - at for api_id, at in ended_at.items()]
    spread_s = max(ended_at.values()) - min(ended_at.values())
    print(f"{len(took)} batches of {items} items, which ended within {spread_s:.0f} s")
    figures = quantiles(took)
    bar = Bar("from the end of a batch to its first callback, p95", round(figures["p95"], 1), MOST_TO_CALLBACK_S, "s")
    report([bar], {"batches": len(took), "items": items, "spread_s": spread_s, **figures}, json_file)


if __name__ == "__main__":
    app()
