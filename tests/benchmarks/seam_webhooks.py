"""The seam, outcomes going out: by webhook beside by Celery, and into a product that takes so many a second.

    python -m tests.benchmarks.seam_webhooks [--outcomes 100000] [--per-second 2000]

The same deliveries are sent in turns, by deliver into a product's Redis and by webhooks to an endpoint that answers in
5 ms, in requests of 100. Then they go into a product that takes only so many a second, from the next full minute on,
and whose Redis may use only so much.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import uuid4

import orjson
import psycopg
import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_workers.sandbox.process import running
from tests.benchmarks import work
from tests.endpoints import SECRET
from tests.servers import copy_database, running_postgres, running_redis

_BAR: Final = 1.5
_MAX_MEMORY: Final = 40_000_000
_MESSAGE_ITEMS: Final = 500

out = Console()


def main(
    outcomes: Annotated[int, typer.Option(help="Deliveries, each time.")] = 100_000,
    per_second: Annotated[int, typer.Option(help="What the slow product takes.")] = 2_000,
    turns: Annotated[int, typer.Option(help="How often each way is measured.")] = 3,
) -> None:
    """Measure both, and say whether it is within its bar."""
    with (
        running_postgres() as server,
        tempfile.TemporaryDirectory() as place,
        running_redis(Path(place) / "own") as own,
        running_redis(Path(place) / "shop") as shop,
        running(Path(place) / "sandbox", *work.SANDBOX) as sandbox,
        _answering() as port,
    ):
        url = copy_database(server.url)
        os.environ |= {
            "OVERNIGHT_DATABASE_URL": url,
            "OVERNIGHT_REDIS_URL": own,
            "OVERNIGHT_DATA_DIR": place,
            "ANTHROPIC_BASE_URL": sandbox.url,
            "ANTHROPIC_API_KEY": "sk-sandbox-bench",
            "SHOP_SECRET": SECRET,
            "OVERNIGHT_LANES": json.dumps({"default": {"max_wait": "0s", "check_first": False}}),
            "OVERNIGHT_WEBHOOKS": json.dumps({"shop": _webhook(port)}),
        }
        _broker(shop)
        fill(outcomes)
        with psycopg.connect(url, autocommit=True) as ledger, redis.Redis.from_url(shop) as product:
            out.print(_beside_celery(ledger, product, outcomes, turns))
            out.print(_into_a_slow_product(ledger, product, shop, outcomes, per_second))


def _webhook(port: int) -> dict[str, object]:
    return {
        "url": f"http://127.0.0.1:{port}/",
        "secrets": ["env:SHOP_SECRET"],
        "allow_private": ["127.0.0.0/8"],
        "group": {"items": 100, "within": "0s"},
        "concurrency": 8,
    }


@contextmanager
def _answering() -> Iterator[int]:
    """The port of an endpoint, in a process of its own."""
    argv = [sys.executable, "-m", "tests.benchmarks.answering"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as endpoint:
        assert endpoint.stdout is not None
        yield int(endpoint.stdout.readline())
        out.print("endpoint: requests and bytes", endpoint.communicate()[0].strip())


def _broker(shop: str, **limits: object) -> None:
    """Another configuration; whoever reads it next has it."""
    from overnight_workers import held
    from overnight_workers.settings import settings

    # a window that is always open, so that collect hands nothing over itself
    at_all_hours = {"max_per_second": 1_000_000, "max_queue": 10_000_000}
    os.environ["OVERNIGHT_BROKERS"] = json.dumps({"shop": {"url": shop} | (limits or at_all_hours)})
    held.close()
    settings.cache_clear()


def fill(outcomes: int) -> None:
    """So many items have their outcome, and nobody was told."""
    from overnight_workers.stages.accept.accept import accept
    from overnight_workers.stages.collect.collect import collect
    from overnight_workers.stages.pack.pack import pack
    from overnight_workers.stages.poll.poll import poll
    from overnight_workers.stages.submit.submit import submit

    for first in range(0, outcomes, _MESSAGE_ITEMS):
        lines = [
            orjson.dumps(
                {"id": str(uuid4()), "key": f"item-{n}", "params": work.params(n), "callback": dict(work.DONE)}
            ).decode()
            for n in range(first, min(first + _MESSAGE_ITEMS, outcomes))
        ]
        accept(v=1, message_id=str(uuid4()), lane="default", items="\n".join(lines))
    for stage in (pack, submit, poll, collect):
        stage()


def _due_again(ledger: psycopg.Connection[Any], broker: str, queue: str) -> None:
    """The same deliveries, to be sent there."""
    target = ledger.execute(
        "INSERT INTO target (broker, queue) VALUES (%s, %s) ON CONFLICT (broker, queue) DO UPDATE SET next_at = NULL"
        " RETURNING id",
        [broker, queue],
    ).fetchone()
    assert target is not None
    ledger.execute("UPDATE delivery SET state = 'due', tries = 0, due_at = now(), target_id = %s", [target[0]])
    ledger.execute("VACUUM ANALYZE delivery")


def _delivered(ledger: psycopg.Connection[Any]) -> int:
    counted = ledger.execute("SELECT count(*) FROM every_delivery WHERE state = 'delivered'").fetchone()
    assert counted is not None
    return int(counted[0])


def _beside_celery(ledger: psycopg.Connection[Any], product: redis.Redis, outcomes: int, turns: int) -> Table:
    """Both ways in turns."""
    from overnight_workers.stages.deliver.deliver import deliver
    from overnight_workers.stages.webhooks.webhooks import webhooks

    times: dict[str, list[float]] = {"celery": [], "webhooks": []}
    ways = (("celery", "shop", "bench", deliver), ("webhooks", "webhook:shop", "shop", webhooks))
    for _ in range(turns):
        for name, broker, queue, stage in ways:
            product.delete("bench")
            _due_again(ledger, broker, queue)
            began = time.monotonic()
            while _delivered(ledger) < outcomes:
                stage()
            times[name].append(time.monotonic() - began)
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    ratio = medians["webhooks"] / medians["celery"]
    table = Table("", f"seconds for {outcomes:,}", "outcomes/s")
    for name, taken in times.items():
        seconds = ", ".join(f"{took_s:.1f}" for took_s in taken)
        table.add_row(name, f"{medians[name]:.1f} ({seconds})", f"{outcomes / medians[name]:,.0f}")
    table.add_row("webhooks beside Celery", f"{ratio:.2f} times; bar {_BAR}", "")
    return table


def _into_a_slow_product(
    ledger: psycopg.Connection[Any], product: redis.Redis, shop: str, outcomes: int, per_second: int
) -> Table:
    """Its Redis never has more than it may, it gets nothing before its hours, and nothing is lost."""
    from overnight_workers.stages.deliver.deliver import deliver

    product.flushall()
    opens = (datetime.now(UTC) + timedelta(seconds=75)).replace(second=0, microsecond=0)
    window = f"{opens:%H:%M}-{opens + timedelta(hours=10):%H:%M} UTC"
    _broker(shop, max_per_second=per_second, window=window, max_memory=f"{_MAX_MEMORY}B", max_queue=20_000)
    _due_again(ledger, "shop", "bench")
    keys, early, most_memory, longest = set[str](), 0, 0, 0
    done = threading.Event()

    def take() -> None:
        nonlocal early, most_memory, longest
        with redis.Redis.from_url(shop) as client:
            while not done.is_set() or client.llen("bench"):
                info: Any = client.info("memory")
                waiting: Any = client.llen("bench")
                most_memory, longest = max(most_memory, int(info["used_memory"])), max(longest, int(waiting))
                messages: Any = client.rpop("bench", per_second // 10) or []
                early += len(messages) if datetime.now(UTC) < opens else 0
                keys.update(orjson.loads(orjson.loads(message)["body"])[0][0]["key"] for message in messages)
                time.sleep(0.1)  # the product's queue is watched from outside

    taking = threading.Thread(target=take)
    taking.start()
    while _delivered(ledger) < outcomes:
        deliver()
        time.sleep(1.0)  # the product's queue is watched from outside
    took = (datetime.now(UTC) - opens).total_seconds()
    done.set()
    taking.join()
    table = Table(f"a product that takes {per_second:,} a second from {window}", "measured", "bar")
    table.add_row("outcomes that came", f"{len(keys):,}", f"{outcomes:,}")
    table.add_row("of them before its hours", f"{early:,}", "0")
    table.add_row("its Redis, at most", f"{most_memory / 1e6:,.1f} MB", f"{_MAX_MEMORY / 1e6:,.0f} MB")
    table.add_row("its queue, at most", f"{longest:,}", "")
    table.add_row("delivered in", f"{took:,.0f} s", f"{outcomes / per_second:,.0f} s and more")
    return table


if __name__ == "__main__":
    typer.run(main)
