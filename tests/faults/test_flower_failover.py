"""Flower reads on after a failover of Postgres and of Redis, with nobody who starts it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight_models.ledger.database import Database
from overnight_models.ledger.schema import migrate
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.flower_tab.reading import Reader
from tests.faults.postgres_servers import Pair, running_pair
from tests.faults.redis_servers import Address, Server, demote, replicating
from tests.waiting import wait_until

pytestmark = pytest.mark.whole


@pytest.fixture
def pair() -> Iterator[Pair]:
    with running_pair() as servers:
        yield servers


@pytest.fixture
def redis_pair(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with replicating(tmp_path) as servers:
        yield servers


@pytest.fixture
def database(pair: Pair) -> Database:
    ledger = Database(pair.url)
    migrate(ledger)
    ledger.close()
    return Database(pair.url)


def test_it_dials_again_and_says_meanwhile_what_is_wrong(
    pair: Pair, database: Database, redis_pair: tuple[Server, Server]
) -> None:
    primary, replica = redis_pair
    address = Address(primary.port)
    client = redis_client(read_redis_url(address.url), timeout_s=5, connect_timeout_s=5)
    reader = Reader(database, client)
    with asyncio.Runner() as loop:

        def seen() -> tuple[str | None, str | None, str | None]:
            """Why the ledger isn't read, why it takes no writes, what is wrong with Redis; a second old at most."""
            look = loop.run(reader.look())
            assert look.snapshot is not None
            assert look.snapshot.redis is not None
            return look.fault, look.snapshot.troubles.read_only, look.snapshot.redis.fault

        assert seen() == (None, None, None)
        demote(primary, replica)
        wait_until(lambda: "a replica and takes no writes" in str(seen()[2]))
        address.leads_to = replica.port
        wait_until(lambda: seen() == (None, None, None))
        pair.primary.become_read_only()
        wait_until(lambda: seen()[:2] != (None, None))
        pair.fail_over()
        wait_until(lambda: seen() == (None, None, None))
        named = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'overnight%'"
        assert (pair.primary.rows(named), pair.standby.rows(named)) == ([(1,)], [(0,)])
        reader.close()
    client.close()
    address.close()
