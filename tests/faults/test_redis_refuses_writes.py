"""A Redis that is there and takes no writes: workers and beat stay, say so, and go on when it takes them again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.operators import redis_health
from tests.faults import small_workers
from tests.faults.redis_servers import Server
from tests.faults.small_workers import Start, ask
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

PROGRAM = shutil.which("redis-server")
Refuse = Callable[[redis.Redis, Path], None]


def can_not_save(client: redis.Redis, snapshots: Path) -> None:
    """As on a full disk, a snapshot fails: there is a directory where its file belongs."""
    client.config_set("save", "3600 1")
    (snapshots / "dump.rdb" / "full").mkdir(parents=True)
    client.execute_command("BGSAVE")  # type: ignore[no-untyped-call]
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")


def saves(client: redis.Redis, snapshots: Path) -> None:
    shutil.rmtree(snapshots / "dump.rdb")
    client.execute_command("BGSAVE")  # type: ignore[no-untyped-call]
    wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "ok")


def is_full(client: redis.Redis, _: Path) -> None:
    client.config_set("maxmemory", 1)


def has_room(client: redis.Redis, _: Path) -> None:
    client.config_set("maxmemory", 0)


def lacks_replicas(client: redis.Redis, _: Path) -> None:
    client.config_set("min-replicas-to-write", 1)


def needs_no_replicas(client: redis.Redis, _: Path) -> None:
    client.config_set("min-replicas-to-write", 0)


WAYS: dict[str, tuple[Refuse, Refuse, str]] = {
    "it can't save its snapshot": (can_not_save, saves, "it can't save to its disk and takes no writes"),
    "its memory is full": (is_full, has_room, "it is full and takes no writes"),
    "it has too few replicas": (lacks_replicas, needs_no_replicas, "it has fewer replicas than min-replicas-to-write"),
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A redis-server: a Valkey answers as it does, but for the PING that a Redis refuses too when it can't save."""
    if PROGRAM is None:
        pytest.skip("no redis-server: apt-get install redis-server")
    (tmp_path / "snapshots").mkdir()
    started = Server(tmp_path / "redis", {"dir": tmp_path / "snapshots"}, program=Path(PROGRAM)).start().wait()
    yield started
    with started.client() as client:
        client.config_set("save", "")  # one that can't save doesn't end by SIGTERM
    started.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with small_workers.starting(tmp_path) as run:
        yield run


@pytest.mark.parametrize(("refuse", "mend", "said"), WAYS.values(), ids=WAYS)
def test_a_busy_worker_and_a_beat_stay_and_go_on(
    server: Server, start: Start, tmp_path: Path, refuse: Refuse, mend: Refuse, said: str
) -> None:
    place, held = read_redis_url(server.url), tmp_path / "task"
    worker, beat = start("worker", server.url), start("beat", server.url)
    with Celery(set_as_current=False) as product:
        product.conf.update(place.celery())
        product.send_task("hold", (str(held),))
        wait_until((tmp_path / "task.held").exists)
        product.send_task("touch", (str(tmp_path / "next"),))
    with server.client() as client:
        refuse(client, tmp_path / "snapshots")
        held.touch()  # its acknowledgement is refused, or the next message's taking
        wait_until(lambda: b"Couldn't ack" in log(tmp_path) or b"Connection to broker lost" in log(tmp_path))
        with redis_client(place, timeout_s=5, connect_timeout_s=5) as asking:
            health = redis_health.look(asking)
        assert (health.lets_in, health.takes_writes, health.is_away) == (True, False, False)
        assert said in str(health.fault)
        mend(client, tmp_path / "snapshots")
    ask(place, tmp_path / "after")
    assert (worker.poll(), beat.poll()) == (None, None)


def test_with_stock_kombu_the_worker_ends(server: Server, start: Start, tmp_path: Path) -> None:
    worker = start("worker", server.url, transport="stock")
    ask(read_redis_url(server.url), tmp_path / "before")
    with server.client() as client:
        can_not_save(client, tmp_path / "snapshots")
        worker.wait(60)
    assert b"Unrecoverable error" in log(tmp_path)


def log(place: Path) -> bytes:
    """What the worker has said."""
    return (place / "worker.log").read_bytes()
