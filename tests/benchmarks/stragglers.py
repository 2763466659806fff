"""Stragglers: a batch doesn't end, and all its items are rescued in real time within a stated limit of the account.

    python -m tests.benchmarks.stragglers [--items 10000] [--rate 6000] [--json FILE]

A whole installation and the sandbox, which enforces the limit. How long it takes, how often the API said 429, which
deadlines were kept; then the batch ends after all, and what its second answers cost.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import httpx2
import redis
import typer

from overnight_models.ledger.database import Database
from overnight_models.ledger.roads.kept import NONE_YET, Kept, kept
from overnight_models.ledger.rows import execute, fetch_pairs
from overnight_models.states import BATCH
from overnight_models.wire.outcome import dollars
from overnight_workers.roads.decision import DIRECT_SHARE, ONE_ANSWER_S
from tests.benchmarks.service import Service, running

CONFIG: Final = """
[lanes.default]
road = "by_deadline"
max_wait = "3s"
deadline = "20h"
rescue = "race"

[workspaces.default.limits."*"]
requests = {rate}
input_tokens = 100000000000
output_tokens = 100000000000

[timing]
sweep_every = "1s"
poll_every = "2s"

[brokers.shop]
url = "{redis_url}"
max_queue = 10000000
"""
_SPARE_S: Final = 30.0
"""Between the moment when deadlines come near and the latest at which the first item has to be sent."""
_PATIENCE_S: Final = 900.0

T = TypeVar("T")


def main(
    items: Annotated[int, typer.Option(help="How many are in the batch that doesn't end.")] = 10_000,
    rate: Annotated[int, typer.Option(help="Requests a minute that the account may send.")] = 6_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Rescue them, and show what that took."""
    sandbox = ("--turnaround", "6h", "--answer-bytes", "100", "--latency", "300ms", "--messages-per-minute", str(rate))
    with running(CONFIG, sandbox=sandbox, rate=rate) as service:
        result = {"items": items, "requests_a_minute": rate, **_rescued(items, rate, service)}
        result |= _second_answers(service)
    print(json.dumps(result, indent=2))
    if json_file is not None:
        json_file.write_text(json.dumps(result, indent=2))


def _rescued(items: int, rate: int, service: Service) -> dict[str, object]:
    words = ["tests.benchmarks.producer", str(items), service.redis_url]
    subprocess.run([sys.executable, "-m", *words], check=True, stdout=subprocess.PIPE)
    _until(lambda: _states(service).get("batched") == items and _batches(service) == {"open"}, "in batches at the API")
    within_s = items / rate * 60 / DIRECT_SHARE + ONE_ANSWER_S + _SPARE_S
    with Database(service.database_url).transaction() as connection:
        execute(connection, "UPDATE item SET deadline = now() + make_interval(secs => :within_s)", within_s=within_s)
        execute(connection, "UPDATE batch SET look_at = now()")
    began = time.monotonic()
    _until(lambda: _calls(service), "first call in real time")
    first = time.monotonic()
    product = redis.Redis.from_url(service.redis_url)
    _until(lambda: int(product.llen("bench")) >= items, "every callback", every_s=0.1)
    took_s, calls, deadlines = time.monotonic() - first, _calls(service), _kept(service)
    return {
        "first_call_after_seconds": round(first - began, 1),
        "seconds": round(took_s, 1),
        "at_least_seconds": round(items / rate * 60, 1),
        "calls_by_status": calls,
        "deadlines": {"met": deadlines.met, "missed": deadlines.missed, "rescued": deadlines.rescued},
        "rescue_usd": dollars(deadlines.rescued_nano),
    }


def _second_answers(service: Service) -> dict[str, object]:
    """The batch ends after all."""
    httpx2.post(f"{service.sandbox_url}/sandbox/clock", json={"advance_s": 7 * 3600}).raise_for_status()
    _until(lambda: _batches(service).isdisjoint(BATCH.unfinished), "the end of every batch")
    deadlines = _kept(service)
    return {"doubles": deadlines.doubles, "doubles_usd": dollars(deadlines.doubles_nano), "states": _states(service)}


def _calls(service: Service) -> dict[str, int]:
    """Calls of `POST /v1/messages` by status."""
    meter: dict[str, Any] = httpx2.get(f"{service.sandbox_url}/sandbox/meter", timeout=60).json()
    found: dict[str, int] = meter["calls"].get("messages", {})
    return found


def _states(service: Service) -> dict[str, int]:
    with Database(service.database_url).transaction() as connection:
        return fetch_pairs(connection, str, int, "SELECT state, count(*) FROM item GROUP BY state")


def _batches(service: Service) -> set[str]:
    """The states of batches."""
    with Database(service.database_url).transaction() as connection:
        return set(fetch_pairs(connection, str, int, "SELECT state, count(*) FROM batch GROUP BY state"))


def _kept(service: Service) -> Kept:
    with Database(service.database_url).transaction() as connection:
        return next(iter(kept(connection).values()), NONE_YET)


def _until(condition: Callable[[], T], what: str, *, every_s: float = 0.5) -> T:
    """Look until it is so: everything here is seen from outside."""
    deadline = time.monotonic() + _PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in {_PATIENCE_S:.0f} s: {what}")
        time.sleep(every_s)  # it is looked at from outside, where nothing tells of it
    return value


if __name__ == "__main__":
    typer.run(main)
