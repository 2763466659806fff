"""The seam, outcomes into a product that takes 200 a second, and only at its hours: by Celery and by webhook at once.

    python -m tests.benchmarks.seam_hours [--outcomes 100000] [--per-second 200]

So many outcomes for each way. Its day begins at the next full minute, and ends when about half of them have come, in
the middle of grouped webhooks; at night nothing may come; then it is day again until all have come. The clock of the
hours is moved between the days, rates are kept in real time: a day of 600 minutes would be as these minutes are.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import psycopg
import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_workers.sandbox.process import running
from tests.benchmarks import work
from tests.benchmarks.seam_webhooks import fill
from tests.endpoints import SECRET, Endpoint, listening
from tests.servers import copy_database, running_postgres, running_redis

_MAX_MEMORY: Final = 40_000_000
_GROUP: Final = 50
_NIGHT_S: Final = 20.0

out = Console()


@dataclass
class _Hours:
    """When the product takes outcomes."""

    opens: datetime
    closes: datetime

    @classmethod
    def of(cls, minutes: int) -> _Hours:
        """From the next full minute on."""
        opens = (datetime.now(UTC) + timedelta(seconds=62)).replace(second=0, microsecond=0)
        return cls(opens, opens + timedelta(minutes=minutes))

    @property
    def window(self) -> str:
        return f"{self.opens:%H:%M}-{self.closes:%H:%M} UTC"


@dataclass
class _Came:
    """What a product has got by one way."""

    keys: set[str] = field(default_factory=set)
    twice: int = 0
    at_night: int = 0
    most_in_a_second: int = 0
    _second: tuple[int, int] = (0, 0)

    def add(self, keys: list[str], hours: _Hours) -> None:
        now = datetime.now(UTC)
        # what was under way when the day ended may still come
        slack = timedelta(seconds=1.5)
        self.at_night += 0 if hours.opens <= now <= hours.closes + slack else len(keys)
        self.twice += sum(key in self.keys for key in keys)
        self.keys.update(keys)
        at, number = self._second
        at, number = (at, number + len(keys)) if at == now.second else (now.second, len(keys))
        self._second = at, number
        self.most_in_a_second = max(self.most_in_a_second, number)


def main(
    outcomes: Annotated[int, typer.Option(help="For each way.")] = 100_000,
    per_second: Annotated[int, typer.Option(help="What the product takes, by each.")] = 200,
) -> None:
    """Deliver them, and say what came when."""
    with (
        running_postgres() as server,
        tempfile.TemporaryDirectory() as place,
        running_redis(Path(place) / "own") as own,
        running_redis(Path(place) / "shop") as shop,
        running(Path(place) / "sandbox", *work.SANDBOX) as sandbox,
        listening() as endpoint,
    ):
        url = copy_database(server.url)
        os.environ |= {
            "OVERNIGHT_DATABASE_URL": url,
            "OVERNIGHT_REDIS_URL": own,
            "OVERNIGHT_DATA_DIR": place,
            "ANTHROPIC_BASE_URL": sandbox.url,
            "ANTHROPIC_API_KEY": "sk-sandbox-bench",
            "OVERNIGHT_SHOP_SECRET": SECRET,
            "OVERNIGHT_LANES": json.dumps({"default": {"max_wait": "0s", "check_first": False}}),
        }
        _configure(shop, endpoint, per_second, _Hours.of(1))
        fill(2 * outcomes)
        with psycopg.connect(url, autocommit=True) as ledger, redis.Redis.from_url(shop) as product:
            _divide(ledger)
            out.print(_days(_Product(shop, product, endpoint), ledger, outcomes, per_second))


def _configure(shop: str, endpoint: Endpoint, per_second: int, hours: _Hours) -> None:
    """Another configuration; whoever reads it next has it."""
    from overnight_workers.settings import settings

    pace = {"max_per_second": per_second, "window": hours.window}
    os.environ["OVERNIGHT_BROKERS"] = json.dumps(
        {"shop": {"url": shop, "max_memory": f"{_MAX_MEMORY}B", "max_queue": 20_000} | pace}
    )
    webhook = endpoint.settings(group={"items": _GROUP, "within": "1s"}, concurrency=4, **pace)
    os.environ["OVERNIGHT_WEBHOOKS"] = json.dumps({"shop": webhook})
    settings.cache_clear()


def _divide(ledger: psycopg.Connection[Any]) -> None:
    """Half of the deliveries go to the queue, half to the webhook."""
    for rest, broker, queue in ((0, "shop", "bench"), (1, "webhook:shop", "shop")):
        ledger.execute("INSERT INTO target (broker, queue) VALUES (%s, %s) ON CONFLICT DO NOTHING", [broker, queue])
        ledger.execute(
            "UPDATE delivery SET state = 'due', tries = 0, due_at = now(),"
            " target_id = (SELECT id FROM target WHERE broker = %s AND queue = %s) WHERE item_id %% 2 = %s",
            [broker, queue, rest],
        )
    ledger.execute("VACUUM ANALYZE delivery")


class _Product:
    """It takes what comes, by both ways, and watches its Redis."""

    def __init__(self, url: str, client: redis.Redis, endpoint: Endpoint) -> None:
        self.url, self._client, self.endpoint = url, client, endpoint
        self.hours = _Hours.of(1)
        self.by_celery, self.by_webhook = _Came(), _Came()
        self.most_memory = self.longest = self._looked_at = 0

    def take(self, most: int) -> None:
        """What lies there now, and no more from its queue than it can do."""
        info: Any = self._client.info("memory")
        waiting: Any = self._client.llen("bench")
        self.most_memory = max(self.most_memory, int(info["used_memory"]))
        self.longest = max(self.longest, int(waiting))
        # all but the oldest, which the last look has seen; what comes meanwhile is newer than any of these
        new: Any = self._client.lrange("bench", 0, -(self._looked_at + 1))
        self.by_celery.add([orjson.loads(orjson.loads(raw)["body"])[0][0]["key"] for raw in new], self.hours)
        taken: Any = self._client.rpop("bench", most) or []
        self._looked_at += len(new) - len(taken)
        came, self.endpoint.came[:] = list(self.endpoint.came), []
        for request in came:
            self.by_webhook.add(request.keys, self.hours)


@contextmanager
def _again_and_again(*steps: Callable[[], object], pause_s: float) -> Iterator[None]:
    """Each in a thread of its own, until the block ends."""
    done = threading.Event()

    def run(step: Callable[[], object]) -> None:
        while not done.wait(pause_s):
            step()

    threads = [threading.Thread(target=run, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _days(product: _Product, ledger: psycopg.Connection[Any], outcomes: int, per_second: int) -> Table:
    """A day that is too short, a night, and a day that is long enough."""
    from overnight_workers.stages.deliver.deliver import deliver
    from overnight_workers.stages.webhooks.webhooks import webhooks

    minutes = max(1, outcomes // (2 * per_second * 60))
    seconds = 0.0
    with (
        _again_and_again(deliver, webhooks, pause_s=1.0),
        _again_and_again(lambda: product.take(per_second // 10), pause_s=0.1),
    ):
        for length in (minutes, 600):
            product.hours = _Hours.of(length)
            _configure(product.url, product.endpoint, per_second, product.hours)
            while datetime.now(UTC) < product.hours.closes + timedelta(seconds=_NIGHT_S) and _left(ledger):
                time.sleep(0.5)  # deliveries are watched from outside
            closed = min(datetime.now(UTC), product.hours.closes)
            seconds += (closed - product.hours.opens).total_seconds()
            out.print(f"{product.hours.window}: {2 * outcomes - _left(ledger):,} of {2 * outcomes:,} are delivered")
        time.sleep(2 + product.longest / per_second)  # the product takes what lies in its queue
    return _table(product, outcomes, per_second, seconds)


def _left(ledger: psycopg.Connection[Any]) -> int:
    counted = ledger.execute("SELECT count(*) FROM delivery WHERE state <> 'delivered'").fetchone()
    assert counted is not None
    return int(counted[0])


def _table(product: _Product, outcomes: int, per_second: int, seconds: float) -> Table:
    table = Table(f"a product that takes {per_second:,} a second at its hours", "by Celery", "by webhook", "bar")
    ways = (product.by_celery, product.by_webhook)
    table.add_row("outcomes that came", *(f"{len(way.keys):,}" for way in ways), f"{outcomes:,}")
    table.add_row("twice", *(f"{way.twice:,}" for way in ways), "")
    table.add_row("at night", *(f"{way.at_night:,}" for way in ways), "0")
    table.add_row("in a second, at most", *(f"{way.most_in_a_second:,}" for way in ways), "")
    table.add_row("its Redis, at most", f"{product.most_memory / 1e6:,.1f} MB", "", f"{_MAX_MEMORY / 1e6:,.0f} MB")
    table.add_row("its queue, at most", f"{product.longest:,}", "", "20,000")
    table.add_row("seconds of day", f"{seconds:,.0f}", "", f"{outcomes / per_second:,.0f} and more")
    return table


if __name__ == "__main__":
    typer.run(main)
