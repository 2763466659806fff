"""The seam: what it costs a product to enqueue in its own transaction, and how fast a relay takes that on.

    python -m tests.benchmarks.seam [--items 100000] [--transactions 3000]

Both servers are durable. An enqueue is measured beside one INSERT of the same bytes into the same table, each in a
transaction of its own that is committed, in turns, so that both see the same disk. The relay is this process.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import psutil
import psycopg
import typer
from rich.console import Console
from rich.table import Table

from overnight_models.wire.inbox import InboxTable, insert_statement
from overnight_producers import Item, Overnight
from tests.benchmarks import work
from tests.faults.outbox_attack import shop_beside
from tests.servers import copy_database, running_postgres, running_redis

_RATIO_BAR: Final = 1.3
_RELAY_BAR: Final = 10_000.0
_HANDLER_BAR_MS: Final = 2.0
_WARM_UP: Final = 200

out = Console()


def main(
    items: Annotated[int, typer.Option(help="Items that the relay takes on.")] = 100_000,
    transactions: Annotated[int, typer.Option(help="Of each kind.")] = 3_000,
) -> None:
    """Measure each, and say whether it is within its bar."""
    with (
        running_postgres(durable=True) as server,
        tempfile.TemporaryDirectory() as place,
        running_redis(Path(place), durable=True) as redis_url,
        shop_beside(server.url) as shop,
    ):
        os.environ |= {
            "OVERNIGHT_DATABASE_URL": copy_database(server.url),
            "OVERNIGHT_REDIS_URL": redis_url,
            "OVERNIGHT_DATA_DIR": place,
        }
        table = Table("", "measured", "bar")
        ratio, enqueue_ms, insert_ms = _beside_an_insert(shop, redis_url, transactions)
        said = f"{ratio:.2f} times an INSERT of the same bytes ({enqueue_ms:.2f} ms and {insert_ms:.2f} ms)"
        table.add_row("enqueue in a transaction, with its commit", said, f"{_RATIO_BAR}")
        for way, median_ms in _in_a_handler(shop, redis_url, transactions).items():
            table.add_row(f"enqueue alone, {way}, median", f"{median_ms:.2f} ms", f"{_HANDLER_BAR_MS} ms")
        table.add_row("relay, 500 items a message", _relayed(shop, redis_url, items, 500), f"{_RELAY_BAR:,.0f}")
        table.add_row("relay, one item a message", _relayed(shop, redis_url, items // 5, 1), "")
    out.print(table)


def _beside_an_insert(shop: str, redis_url: str, transactions: int) -> tuple[float, float, float]:
    """The median of an enqueue's transaction beside that of an INSERT's: their ratio, and both in milliseconds."""
    overnight, statement = Overnight(redis_url), insert_statement(InboxTable(), "%({})s").encode()
    with psycopg.connect(shop) as connection:
        overnight.enqueue(work.params(0), key="first", session=connection)
        written = connection.execute(
            "SELECT message_id::text, lane, run, encoding, items FROM overnight_inbox"
        ).fetchone()
        assert written is not None
        values = dict(zip(("message_id", "lane", "run", "encoding", "items"), written, strict=True))
        values |= {"v": 1, "item_count": 1}

        def enqueue(number: int) -> None:
            overnight.enqueue(work.params(number), key=str(number), session=connection)

        def insert(_: int) -> None:
            connection.execute(statement, values)

        times: dict[str, list[float]] = {"enqueue": [], "insert": []}
        for number in range(transactions + _WARM_UP):
            for name, call in (("enqueue", enqueue), ("insert", insert)):
                began = time.perf_counter()
                call(number)
                connection.commit()
                times[name].append(time.perf_counter() - began)
        connection.execute("TRUNCATE overnight_inbox")
    medians = {name: statistics.median(of[_WARM_UP:]) * 1000 for name, of in times.items()}
    return medians["enqueue"] / medians["insert"], medians["enqueue"], medians["insert"]


def _in_a_handler(shop: str, redis_url: str, calls: int) -> dict[str, float]:
    """The median of an enqueue alone, in milliseconds, by Redis and in a transaction."""
    overnight = Overnight(redis_url)
    with psycopg.connect(shop) as connection:
        ways: dict[str, Callable[[int], object]] = {
            "by Redis": lambda number: overnight.enqueue(work.params(number), key=str(number)),
            "in a transaction": lambda n: overnight.enqueue(work.params(n), key=str(n), session=connection),
        }
        medians = {}
        for way, call in ways.items():
            times = []
            for number in range(calls):
                began = time.perf_counter()
                call(number)
                times.append(time.perf_counter() - began)
            medians[way] = statistics.median(times) * 1000
        connection.rollback()
    return medians


def _relayed(shop: str, redis_url: str, items: int, a_message: int) -> str:
    """Items a second that one relay takes on, from a full inbox to an empty one; and a second of processor."""
    from overnight_workers.configuration.relay_settings import RelaySettings
    from overnight_workers.relay.relay import Relay

    overnight = Overnight(redis_url)
    with psycopg.connect(shop) as connection:
        if a_message > 1:
            made = (Item(params=work.params(n), key=f"{a_message}:{n}") for n in range(items))
            overnight.enqueue_many(made, session=connection)
        else:
            for n in range(items):
                overnight.enqueue(work.params(n), key=f"one:{n}", session=connection)
    relay = Relay("shop", RelaySettings(database_url=shop))
    relay.tell()
    began, began_cpu = time.perf_counter(), _cpu_seconds()
    while relay.turn():
        relay.tell()
    seconds, cpu_seconds = time.perf_counter() - began, _cpu_seconds() - began_cpu
    relay.close()
    return f"{items / seconds:,.0f} items/s; one processor alone: {items / cpu_seconds:,.0f} items/s"


def _cpu_seconds() -> float:
    """What this process and its Postgres have used of the processors: it doesn't matter who else is at work."""
    servers = [child for child in psutil.Process().children(recursive=True) if child.name() == "postgres"]
    return time.process_time() + sum(sum(server.cpu_times()[:2]) for server in servers)


if __name__ == "__main__":
    typer.run(main)
