"""What a shared prefix takes and what caching it saves.

python -m tests.benchmarks.prefixes size [--items 100000]    bytes in Redis and Postgres, an 80 KB prefix shared
python -m tests.benchmarks.prefixes contracts [--items 1000]  what was chosen at four hit rates, and what it cost
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, Any, Final

import psycopg
import redis
import typer
from rich.console import Console
from rich.table import Table

from overnight_models import routes
from overnight_models.money.forecast import Caching, Load, prefix_total
from overnight_models.money.prices import load
from overnight_producers import Item, Overnight
from overnight_workers.settings import settings
from tests.benchmarks.service import Service, running

CONFIG: Final = """
[lanes.default]
max_items = {most}
max_wait = "{wait}"

[lanes.primed]
max_items = {most}
max_wait = "{wait}"
prime = true

[timing]
poll_every = "200ms"
sweep_every = "200ms"
"""
MODEL: Final = "claude-sonnet-4-5"
PREFIX: Final = "Every clause of the contract, word by word. " * 1_817
"""80 KB: some 20,000 tokens."""
QUESTION_TOKENS: Final = 12
"""Of each item's own part, about."""
WARM: Final = Fraction(95, 100)
"""The sandbox's hit rate on what an earlier batch wrote."""
HIT_RATES: Final = (0.1, 0.3, 0.6, 0.98)

app = typer.Typer(help=__doc__)
out = Console(width=140)


def questions(items: int, run: str) -> Iterator[Item]:
    """So many short questions about the same 80 KB, other ones in each run."""
    for number in range(items):
        yield Item(
            params={
                "model": MODEL,
                "max_tokens": 64,
                "system": f"The contract of the {run} run. {PREFIX}",
                "messages": [{"role": "user", "content": f"What does clause {number} say?"}],
            },
            key=f"{run} {number}",
        )


@app.command()
def size(items: Annotated[int, typer.Option(help="How many share it.")] = 100_000) -> None:
    """Bytes in Redis and in Postgres for items that share an 80 KB prefix."""
    with running(CONFIG, most=100_000, wait="1h") as service:
        client = redis.Redis.from_url(service.redis_url)
        sent_before = _received(client)
        began = time.monotonic()
        overnight = Overnight(service.redis_url)
        confirmation = overnight.enqueue_confirmed(questions(items, "size"), timeout=600)
        received = _received(client) - sent_before
        seconds = time.monotonic() - began
        prefix_keys = list(client.scan_iter(routes.PREFIX_KEY.format("*")))
        kept = sum(int(client.memory_usage(key) or 0) for key in prefix_keys)
        with psycopg.connect(service.database_url) as connection:
            stored = _sizes(connection)
        overnight.close()
    table = Table("where", "MB")
    table.add_row("the items' requests, whole", _mb(items * (len(PREFIX) + 150)))
    table.add_row("sent to Redis, all told", _mb(received))
    table.add_row("kept in Redis for the prefix", _mb(kept))
    for name, size_ in stored.items():
        table.add_row(f"in Postgres: {name}", _mb(size_))
    out.print(table)
    out.print(f"{confirmation.accepted:,} items confirmed in {seconds:.1f} s; {len(prefix_keys)} prefix in Redis")


def _received(client: redis.Redis) -> int:
    stats: Any = client.info("stats")
    return int(stats["total_net_input_bytes"])


def _sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Bytes of the tables that hold requests, with their indexes."""
    rows = connection.execute(
        """
        SELECT coalesce(parent.relname, child.relname), sum(pg_total_relation_size(child.oid))::bigint
        FROM pg_class child LEFT JOIN pg_inherits ON inhrelid = child.oid LEFT JOIN pg_class parent
             ON parent.oid = inhparent
        WHERE child.relkind = 'r' AND coalesce(parent.relname, child.relname) IN
              ('prefix', 'request', 'item', 'item_key')
        GROUP BY 1 ORDER BY 1
        """
    ).fetchall()
    return {str(name): int(bytes_) for name, bytes_ in rows}


def _mb(bytes_: int) -> str:
    return f"{bytes_ / 1e6:,.2f}"


@app.command()
def contracts(items: Annotated[int, typer.Option(help="How many share it.")] = 1_000) -> None:
    """What was chosen for 20,000 tokens that many share, and what it cost against the alternatives."""
    table = Table("hit rate", "run", "chosen", "because", "cost", "uncached", "5m", "1h", "primed")
    for rate in HIT_RATES:
        sandbox = ("--instant", "--hit-rate", str(rate), "--seed", "7")
        with running(CONFIG, sandbox=sandbox, most=items, wait="2s") as service:
            for run, lane in (("first", "default"), ("second", "default"), ("primed", "primed")):
                _answered(service, items, run, lane)
                cost, chosen, why = _came_of(service, items, run)
                table.add_row(f"{rate:.0%}", run, chosen, why, cost, *_alternatives(items, rate))
    out.print(table)


def _answered(service: Service, items: int, run: str, lane: str) -> None:
    overnight = Overnight(service.redis_url)
    overnight.enqueue_confirmed(questions(items, run), lane=lane, run=run, timeout=120)
    deadline = time.monotonic() + 120
    while overnight.unfinished(run):
        assert time.monotonic() < deadline, overnight.run(run)
        time.sleep(0.1)  # watched from outside, as a product would
    overnight.close()


def _came_of(service: Service, items: int, run: str) -> tuple[str, str, str]:
    """What the run's prefix cost by its answers' usage; what was chosen for it, and why."""
    with psycopg.connect(service.database_url) as connection:
        used = connection.execute(
            """SELECT sum(input_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(cache_read_tokens)
               FROM whole_outcome JOIN item ON item.id = item_id JOIN run ON run.id = run_id WHERE run.name = %s""",
            (run,),
        ).fetchone()
        chosen = connection.execute(
            "SELECT coalesce(lifetime, 'uncached'), why FROM caching ORDER BY submission_id DESC LIMIT 1"
        ).fetchone()
    assert used is not None
    assert chosen is not None
    model = load(settings().prices).models[MODEL]
    rates = model.rates
    plain, write_5m, write_1h, read = map(int, used)
    prefix = rates.input * (plain - items * QUESTION_TOKENS) + rates.cache_read * read
    prefix += rates.write_5m * write_5m + rates.write_1h * write_1h
    return _dollars(prefix * model.batch_factor), str(chosen[0]), str(chosen[1])


def _alternatives(items: int, rate: float) -> list[str]:
    model = load(settings().prices).models[MODEL]
    shared = Load(requests=items, prefix_tokens=Fraction(len(PREFIX) // 4))
    hits = Fraction(str(rate))
    ways = (None, Caching("5m", hits), Caching("1h", hits), Caching("1h", WARM, primed=True))
    return [_dollars(prefix_total(model.rates, shared, way) * model.batch_factor) for way in ways]


def _dollars(nano: Fraction | int) -> str:
    return f"${float(nano) / 1e9:,.2f}"


if __name__ == "__main__":
    app()
