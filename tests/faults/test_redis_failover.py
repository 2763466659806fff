"""A primary becomes a replica and its connections stay open: everybody dials again, by its address or Sentinels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import redis
from celery import Celery

from overnight_models.errors import Unreachable
from overnight_models.wire.plain_redis import PlainRedis
from overnight_models.wire.redis_client import Demoted, redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_producers.async_connection import AsyncConnection
from tests.faults import small_workers
from tests.faults.redis_servers import Address, Server, demote, replicating
from tests.faults.small_workers import Start, ask
from tests.waiting import wait_until

pytestmark = pytest.mark.whole


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    with replicating(tmp_path) as servers:
        yield servers


@pytest.fixture
def sentinel(tmp_path: Path, pair: tuple[Server, Server]) -> Iterator[Server]:
    watched = {
        "sentinel monitor mine": f"127.0.0.1 {pair[0].port} 1",
        "sentinel down-after-milliseconds mine": 1000,
        "sentinel failover-timeout mine": 5000,
    }
    server = Server(tmp_path / "sentinel", watched, sentinel=True).start().wait()
    with server.client() as client:
        wait_until(lambda: client.execute_command("SENTINEL", "replicas", "mine"))  # type: ignore[no-untyped-call]
    yield server
    server.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with small_workers.starting(tmp_path) as run:
        yield run


def ticks(server: Server) -> int:
    with server.client() as client:
        return int(client.llen("ticks"))


def test_a_worker_and_a_beat_dial_again_at_the_address_that_has_moved(
    pair: tuple[Server, Server], start: Start, tmp_path: Path
) -> None:
    primary, replica = pair
    address = Address(primary.port)
    place = read_redis_url(address.url)
    worker, beat = start("worker", address.url), start("beat", address.url)
    ask(place, tmp_path / "before")
    wait_until(lambda: ticks(primary) > 0)
    address.leads_to = replica.port
    demote(primary, replica)
    before = ticks(replica)
    wait_until(lambda: ticks(replica) > before + 2)
    ask(place, tmp_path / "after")
    assert (worker.poll(), beat.poll()) == (None, None)
    address.close()


def test_while_the_address_leads_to_the_replica_they_wait_for_the_primary(
    pair: tuple[Server, Server], start: Start, tmp_path: Path
) -> None:
    primary, replica = pair
    address = Address(primary.port)
    place = read_redis_url(address.url)
    worker, beat = start("worker", address.url), start("beat", address.url)
    ask(place, tmp_path / "before")
    wait_until(lambda: ticks(primary) > 0)
    demote(primary, replica)
    wait_until(lambda: b"read only replica" in (tmp_path / "beat.log").read_bytes())
    wait_until(lambda: b"Connection to broker lost" in (tmp_path / "worker.log").read_bytes())
    time.sleep(2)
    address.leads_to = replica.port
    before = ticks(replica)
    wait_until(lambda: ticks(replica) > before + 2)
    ask(place, tmp_path / "after")
    assert (worker.poll(), beat.poll()) == (None, None)
    address.close()


def test_a_worker_whose_places_were_all_taken_goes_on(
    pair: tuple[Server, Server], start: Start, tmp_path: Path
) -> None:
    primary, replica = pair
    address = Address(primary.port)
    place = read_redis_url(address.url)
    worker, held = start("worker", address.url), tmp_path / "task"
    with Celery(set_as_current=False) as product:
        product.conf.update(place.celery())
        product.send_task("hold", (str(held),))
    wait_until((tmp_path / "task.held").exists)
    demote(primary, replica)
    held.touch()
    wait_until(lambda: b"Couldn't ack" in (tmp_path / "worker.log").read_bytes())
    address.leads_to = replica.port
    ask(place, tmp_path / "after")
    assert worker.poll() is None
    address.close()


def test_with_stock_kombu_the_worker_ends(pair: tuple[Server, Server], start: Start, tmp_path: Path) -> None:
    primary, replica = pair
    worker = start("worker", primary.url, transport="stock")
    ask(read_redis_url(primary.url), tmp_path / "before")
    demote(primary, replica)
    worker.wait(60)
    # on a busy machine it may be between two BRPOPs, and its next command is refused
    said = (tmp_path / "worker.log").read_bytes()
    assert b"UNBLOCKED" in said or b"read only replica" in said


def test_a_worker_and_a_beat_follow_the_sentinels(
    pair: tuple[Server, Server], sentinel: Server, start: Start, tmp_path: Path
) -> None:
    primary, replica = pair
    url = f"sentinel://127.0.0.1:{sentinel.port};sentinel://localhost:{sentinel.port}/0"
    place = read_redis_url(url, master_name="mine")
    worker, beat = start("worker", url), start("beat", url)
    ask(place, tmp_path / "before")
    with sentinel.client() as client:
        client.execute_command("SENTINEL", "failover", "mine")  # type: ignore[no-untyped-call]
    with replica.client() as client:
        wait_until(lambda: client.info("replication")["role"] == "master")
    with primary.client() as client:
        wait_until(lambda: client.info("replication")["role"] == "slave")
    before = ticks(replica)
    wait_until(lambda: ticks(replica) > before + 2)
    ask(place, tmp_path / "after")
    assert (worker.poll(), beat.poll()) == (None, None)
    with PlainRedis(place) as plain:
        assert plain.ask(("SET", "probed", 1)) == [b"OK"]
    with redis_client(place, timeout_s=5, connect_timeout_s=5) as client:
        assert client.set("written", 1)
    with replica.client() as client:
        assert client.exists("written")


def is_begun(sentinel: Server) -> bool:
    """A failover by the Sentinel, which begins none before it has seen the replica."""
    with sentinel.client() as client, suppress(redis.ResponseError):
        client.execute_command("SENTINEL", "failover", "mine")  # type: ignore[no-untyped-call]
        return True
    return False


def test_an_event_loop_follows_the_sentinels(pair: tuple[Server, Server], sentinel: Server) -> None:
    primary, replica = pair
    place = read_redis_url(f"sentinel://127.0.0.1:{sentinel.port}/0", master_name="mine")

    async def calling() -> None:
        connection = AsyncConnection(place)
        await connection.commands([("SET", "before", "1")])
        wait_until(lambda: is_begun(sentinel))
        with primary.client() as client:
            while client.info("replication")["role"] != "slave":
                with suppress(Unreachable):  # nothing was written, or it wasn't said
                    await connection.commands([("SET", "meanwhile", "1")])
                await asyncio.sleep(0.01)
        stop_at = time.monotonic() + 120
        while time.monotonic() < stop_at:
            with suppress(Unreachable):
                await connection.commands([("SET", "after", "1")])
                break
            await asyncio.sleep(0.01)
        await connection.close()

    asyncio.run(calling())
    with replica.client() as client:
        assert client.exists("before", "after") == 2


def test_a_client_says_that_nothing_was_written_and_dials_again(pair: tuple[Server, Server]) -> None:
    primary, replica = pair
    address = Address(primary.port)
    with redis_client(read_redis_url(address.url), timeout_s=5, connect_timeout_s=5) as client:
        client.set("first", 1)
        demote(primary, replica)
        address.leads_to = replica.port
        with pytest.raises(Demoted) as caught:
            client.set("second", 1)
        assert isinstance(caught.value, redis.ConnectionError)
        assert isinstance(caught.value, redis.ReadOnlyError)
        assert client.set("second", 1)
    with replica.client() as reading:
        assert reading.exists("first", "second") == 2
    address.close()


def test_through_a_socket_it_is_the_same_redis(tmp_path: Path, start: Start) -> None:
    with TemporaryDirectory(dir="/tmp") as folder:  # a socket's path has 107 characters at most
        socket = Path(folder, "redis.sock")
        server = Server(tmp_path / "redis", {"unixsocket": socket}).start().wait()
        _works(f"unix://{socket}?db=1", tmp_path, start)
        server.stop()


def _works(url: str, tmp_path: Path, start: Start) -> None:
    place = read_redis_url(url)
    worker = start("worker", url)
    ask(place, tmp_path / "done")
    with redis_client(place, timeout_s=5, connect_timeout_s=5) as client:
        assert client.exists("_kombu.binding.celery")
    with PlainRedis(place) as plain:
        assert plain.ask(("EXISTS", "_kombu.binding.celery")) == [1]
    assert worker.poll() is None
