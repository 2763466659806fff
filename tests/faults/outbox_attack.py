"""Products, relays and Redis are killed at random while orders are placed, and three in ten given up: `make outbox`.

Each order and its item are one transaction of the product's. At the end the ledger has an item for each order that was
committed, and for no other.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import uuid4

import psycopg

from overnight_models.wire import inbox_migrations
from overnight_models.wire.inbox import InboxTable
from tests.faults.redis_servers import Server
from tests.servers import copy_database, running_postgres
from tests.waiting import wait_until

RELAY: Final = ["-c", "from overnight_workers.command import main; main()", "relay", "shop"]
PRODUCT: Final = '''
import random, sys
from uuid import uuid4
import psycopg
import sqlalchemy as sa
from overnight_producers import Item, Overnight

shop, redis_url, most = sys.argv[1], sys.argv[2], int(sys.argv[3])
overnight = Overnight(redis_url)
engine = sa.create_engine(shop.replace("postgresql://", "postgresql+psycopg://"))
plain = psycopg.connect(shop)

class GivenUp(Exception):
    pass

def place(execute, session):
    """An order of one to three items and their items, or neither."""
    keys = [str(uuid4()) for _ in range(random.choice((1, 1, 1, 3)))]
    for key in keys:
        execute(key)
    asked = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": keys[0]}]}
    if len(keys) == 1:
        overnight.enqueue(asked, key=keys[0], session=session)
    else:
        overnight.enqueue_many([Item(params=asked, key=key) for key in keys], session=session)
    if random.random() < 0.3:
        raise GivenUp

while plain.execute("SELECT nextval('transactions')").fetchone()[0] <= most:
    plain.commit()
    try:
        if random.random() < 0.5:
            with plain.transaction():
                place(lambda key: plain.execute("INSERT INTO orders VALUES (%s)", [key]), plain)
        else:
            with engine.begin() as connection:
                insert = sa.text("INSERT INTO orders VALUES (:key)")
                place(lambda key: connection.execute(insert, {"key": key}), connection)
    except GivenUp:
        pass
'''


@dataclass
class Attacked:
    """What was killed, and what is left of it."""

    transactions: int
    killed: dict[str, int] = field(default_factory=dict)
    committed: int = 0
    items: int = 0
    lost: int = 0
    """Committed, and no item."""
    invented: int = 0
    """Items of what was never committed."""
    twice: int = 0
    left: int = 0
    """Rows in the inbox at the end."""
    seconds: float = 0.0


class Attack:
    """The processes, and their death. database_url: of a ledger; shop: of the product's database."""

    def __init__(self, place: Path, database_url: str, shop: str, transactions: int, chance: random.Random) -> None:
        self.result = Attacked(transactions)
        self._database_url, self._shop = database_url, shop
        self._place, self._chance = place, chance
        self._redis = Server(place / "redis").start().wait()
        self._log = (place / "log").open("ab")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def close(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._redis.stop()
        self._log.close()

    def keep_up(self) -> None:
        """Start what isn't there; a product that has placed all its orders is done."""
        words = {
            "product-1": ["-c", PRODUCT, self._shop, self._redis.url, str(self.result.transactions)],
            "product-2": ["-c", PRODUCT, self._shop, self._redis.url, str(self.result.transactions)],
            "relay-1": RELAY,
            "relay-2": RELAY,
        }
        for name, argv in words.items():
            process = self._processes.get(name)
            if process is None or process.poll() not in (None, 0):
                self._processes[name] = subprocess.Popen(
                    [sys.executable, *argv], env=self._environment(), stdout=self._log, stderr=self._log
                )
        if not self._redis.alive():
            self._redis.start()

    def kill_one(self) -> None:
        """Kill a product, a relay or Redis, wherever it is just now."""
        name = self._chance.choice(["product-1", "product-2", "relay-1", "relay-2", "redis"])
        if name == "redis":
            self._redis.stop()
        elif self._processes[name].poll() is None:
            self._processes[name].kill()
            self._processes[name].wait()
        else:
            return  # a product that has placed all its orders
        kind = name.partition("-")[0]
        self.result.killed[kind] = self.result.killed.get(kind, 0) + 1

    def wait_for(self, placed: int) -> None:
        """Until so many orders were placed or given up, and a relay is at work."""
        wait_until(lambda: self.is_placed() or _placed(self._shop) >= placed, 120, what=self.said)
        wait_until(lambda: self.is_placed() or _has_relay(self._shop), 120, what=self.said)

    def said(self) -> str:
        """The last that they have said."""
        return (self._place / "log").read_text()[-5_000:]

    def is_placed(self) -> bool:
        """Whether all orders were placed."""
        return all(self._processes[name].poll() == 0 for name in ("product-1", "product-2"))

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "ANTHROPIC_"))}
        return clean | {
            "OVERNIGHT_DATA_DIR": str(self._place),
            "OVERNIGHT_DATABASE_URL": self._database_url,
            "OVERNIGHT_REDIS_URL": self._redis.url,
            "OVERNIGHT_RELAYS": json.dumps({"shop": {"database_url": self._shop, "poll_every": "20ms"}}),
        }


def attack(
    place: Path, database_url: str, shop: str, *, transactions: int, deaths: int, seed: int | None = None
) -> Attacked:
    """Place so many orders while something is killed so many times on the way, and compare the books."""
    began, chance = time.monotonic(), random.Random(seed)
    here = Attack(place, database_url, shop, transactions, chance)
    try:
        here.keep_up()
        for moment in sorted(chance.uniform(0.02, 0.98) * transactions for _ in range(deaths)):
            here.wait_for(int(moment))
            time.sleep(chance.uniform(0, 0.05))  # anywhere in a transaction, and not only at its beginning
            here.kill_one()
            here.keep_up()
        wait_until(here.is_placed, 300, what=here.said)
        wait_until(lambda: _rows(shop, "overnight_inbox") == 0, 120, what=here.said)
    finally:
        here.close()
    return _compared(here.result, database_url, shop, time.monotonic() - began)


def _compared(result: Attacked, database_url: str, shop: str, seconds: float) -> Attacked:
    with psycopg.connect(shop) as connection:
        orders = [row[0] for row in connection.execute("SELECT key FROM orders")]
    with psycopg.connect(database_url) as connection:
        items = [row[0] for row in connection.execute("SELECT key FROM request")]
    result.committed, result.items = len(orders), len(items)
    result.lost, result.invented = len({*orders} - {*items}), len({*items} - {*orders})
    result.twice = len(items) - len({*items})
    result.left, result.seconds = _rows(shop, "overnight_inbox"), seconds
    return result


def _placed(shop: str) -> int:
    with psycopg.connect(shop) as connection:
        row = connection.execute("SELECT last_value FROM transactions").fetchone()
    return 0 if row is None else int(row[0])


def _has_relay(shop: str) -> bool:
    """Whether one is connected."""
    with psycopg.connect(shop) as connection:
        found = connection.execute(
            "SELECT FROM pg_stat_activity"
            " WHERE application_name = 'overnight-relay-shop' AND datname = current_database()"
        )
        return found.rowcount > 0


def _rows(shop: str, table: str) -> int:
    with psycopg.connect(shop) as connection:
        return len(connection.execute(f"SELECT FROM {table}".encode()).fetchall())


@contextmanager
def shop_beside(postgres_url: str) -> Iterator[str]:
    """A product's database with its orders and its inbox."""
    name = f"shop_{uuid4().hex[:8]}"
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}".encode())
        url = f"{postgres_url.rpartition('/')[0]}/{name}"
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE orders (key text NOT NULL)")
            connection.execute("CREATE SEQUENCE transactions")
            connection.execute(inbox_migrations.script(inbox_migrations.sql(InboxTable())).encode())
        yield url
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def main() -> None:
    """At size, with a table of what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--transactions", type=int, default=10_000)
    parser.add_argument("--deaths", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    given = parser.parse_args()
    with (
        running_postgres() as server,
        shop_beside(server.url) as shop,
        tempfile.TemporaryDirectory(prefix="overnight-outbox-") as place,
    ):
        result = attack(
            Path(place),
            copy_database(server.url),
            shop,
            transactions=given.transactions,
            deaths=given.deaths,
            seed=given.seed,
        )
    print(json.dumps({"seed": given.seed, **vars(result)}, indent=2))
    sys.exit(1 if result.lost or result.invented or result.twice or result.left else 0)


if __name__ == "__main__":
    main()
