"""Memory for one batch of 256 MB, the largest that the API takes: sending it, and reading answers of the same size.

python -m tests.benchmarks.large_batch [--items 50000] [--json FILE]

Of each worker the process that grew most is shown. Idle is what it had before it had ever done anything.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import redis
import typer

from overnight_models.request.request import MAX_BATCH_BYTES
from overnight_producers import Overnight
from tests.benchmarks.bars import Bar, report
from tests.benchmarks.service import Service, running, watched_memory
from tests.benchmarks.work import item

CONFIG: Final = """
[lanes.default]
max_items = {items}
max_bytes = "{most}B"
max_wait = "1h"

[brokers.shop]
url = "{redis_url}"
max_queue = 10000000
"""
MOST_OVER_IDLE_MB: Final = 200
WITHIN_S: Final = 600
WORKERS: Final = ("intake", "batches", "submit", "results", "deliver")
_AROUND_TEXT: Final = 240
"""Bytes that a request has in a batch beside its text, at most."""


def main(
    items: Annotated[int, typer.Option(help="How many share the 256 MB.")] = 50_000,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Send one batch of 256 MB, and read 256 MB of answers."""
    size = MAX_BATCH_BYTES // items - _AROUND_TEXT
    sandbox = ("--instant", "--answer-bytes", str(size))
    with running(CONFIG, sandbox=sandbox, items=items, most=MAX_BATCH_BYTES) as service:
        with watched_memory(service) as grown:
            Overnight(service.redis_url).enqueue_many(item(number, "word " * (size // 5)) for number in range(items))
            _wait_for_callbacks(service, items)
        body_mb = _body_bytes(service) / 1e6
    print(f"one batch of {items:,} items, {body_mb:.1f} MB")
    bars = [
        Bar(f"{name}: over its idle {grown[name].idle_mb} MB", grown[name].over_idle_mb, MOST_OVER_IDLE_MB, "MB")
        for name in WORKERS
    ]
    memory = {name: asdict(growth) for name, growth in grown.items()}
    report(bars, {"items": items, "body_mb": body_mb, "memory": memory}, json_file)


def _wait_for_callbacks(service: Service, items: int) -> None:
    product = redis.Redis.from_url(service.redis_url)
    deadline = time.monotonic() + WITHIN_S
    while (arrived := int(product.llen("bench"))) < items:
        assert time.monotonic() < deadline, f"{arrived} of {items} callbacks"
        time.sleep(0.1)  # the product's queue is watched from outside


def _body_bytes(service: Service) -> int:
    """The body of the only batch, as the API has it."""
    bodies = list((service.home / "data" / "sandbox").rglob("msgbatch_*.json"))
    assert len(bodies) == 1, f"{len(bodies)} batches instead of one"
    return bodies[0].stat().st_size


if __name__ == "__main__":
    typer.run(main)
