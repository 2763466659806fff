"""The health of a real worker: it lives, its loop stands still, its processes stand still, it has ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
import redis

from overnight_models import routes
from overnight_workers.one_machine.supervision import process_table
from tests.forking import Program
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

WORKER = ["celery", "-A", "overnight_workers.app", "worker", "-n", "pack@%h", "-Q", routes.PACK]
HEALTH = [sys.executable, "-c", "from overnight_workers.command import main; main()", "health", "--queue", routes.PACK]


@pytest.fixture
def environment(tmp_path: Path, database_url: str, redis_url: str) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
    return clean | {
        "OVERNIGHT_DATA_DIR": str(tmp_path),
        "OVERNIGHT_DATABASE_URL": database_url,
        "OVERNIGHT_REDIS_URL": redis_url,
    }


@pytest.fixture
def worker(tmp_path: Path, environment: dict[str, str]) -> Iterator[Program]:
    argv = [*WORKER, "-c", "1", "--without-gossip", "--without-mingle"]
    started = Program(argv, tmp_path / "worker.log", environment=environment, directory=tmp_path)
    yield started
    started.kill()
    started.wait(60)


def test_a_worker_is_healthy_while_its_loop_and_its_processes_take_work(
    worker: Program, environment: dict[str, str], tmp_path: Path, redis_url: str
) -> None:
    def health() -> int:
        done = subprocess.run(HEALTH, env=environment, cwd=tmp_path, capture_output=True, check=False)
        return done.returncode

    def pool() -> list[process_table.Entry]:
        return [who for who in process_table.all_entries() if who.parent == worker.pid]

    def pause(*these: process_table.Entry, go_on: bool = False) -> None:
        for who in these:
            process_table.send(who, signal.SIGCONT if go_on else signal.SIGSTOP)

    assert health() == 1, "it hasn't begun"
    with redis.Redis.from_url(redis_url) as client:
        # a look is a process, and takes the processor from the worker that is being waited for
        wait_until(lambda: client.scard(routes.WORKERS_KEY), what=(tmp_path / "worker.log").read_text)
        wait_until(lambda: health() == 0, what=(tmp_path / "worker.log").read_text)
        (name,) = (name.decode() for name in client.smembers(routes.WORKERS_KEY) if isinstance(name, bytes))
        key = routes.WORKER_KEY.format(name)

        def stuck_s() -> float:
            shown = client.get(key)
            return float(orjson.loads(shown)["stuck_s"]) if isinstance(shown, bytes) else 0.0

        processes = pool()
        pause(*processes)
        rung = [sys.executable, "-c", "from overnight_workers.stages import doorbell; doorbell.ring('overnight.pack')"]
        subprocess.run(rung, env=environment, cwd=tmp_path, check=True)
        wait_until(lambda: stuck_s() > 5, what=(tmp_path / "worker.log").read_text)
        pause(*processes, go_on=True)
        wait_until(lambda: stuck_s() == 0)
        # a loop that stands still shows nothing; what it showed is let go without waiting for it
        leader = process_table.entry(worker.pid)
        assert leader is not None
        pause(leader)
        client.delete(key)
        assert health() == 1
        pause(leader, go_on=True)
        wait_until(lambda: client.exists(key))
        wait_until(lambda: health() == 0)
