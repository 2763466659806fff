"""The transport shim: a worker that holds a message survives Redis being killed; stock kombu doesn't.

When the second test fails, kombu is mended: delete `overnight_workers/celery_worker/transport.py` and both tests.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from celery import Celery

from overnight_workers.one_machine.embedded import EmbeddedRedis
from overnight_workers.one_machine.supervision.leash import leashed
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

WORKER = """
import sys
import time
from pathlib import Path

from celery import Celery
from overnight_workers.celery_worker import transport

if sys.argv[1] == "shim":
    transport.install()
app = Celery(broker=sys.argv[2])
app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
)

@app.task(name="hold")
def hold(started, go):
    Path(started).touch()
    stop_at = time.monotonic() + 60
    while not Path(go).exists() and time.monotonic() < stop_at:
        time.sleep(0.01)

@app.task(name="touch")
def touch(path):
    Path(path).touch()

app.worker_main(["worker", "-P", "prefork", "-c", "1", "--without-gossip", "--without-mingle", "-l", "WARNING"])
"""


class KillableRedis:
    """A Redis that can be killed and comes back where it was, with what it had."""

    def __init__(self, data_dir: Path) -> None:
        self._server = EmbeddedRedis(data_dir)
        self.start()

    @property
    def url(self) -> str:
        return self._server.url

    def start(self) -> None:
        self._server.prepare()
        argv = leashed(self._server.argv(), signal.SIGTERM)
        self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._server.wait_ready()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def redis_to_kill(tmp_path: Path) -> Iterator[KillableRedis]:
    server = KillableRedis(tmp_path / "redis")
    yield server
    server.kill()


@pytest.fixture
def run_worker(tmp_path: Path, redis_to_kill: KillableRedis) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    workers: list[subprocess.Popen[bytes]] = []

    def run(transport: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("wb") as log:
            argv = [sys.executable, "-c", WORKER, transport, redis_to_kill.url]
            workers.append(subprocess.Popen(argv, stdout=log, stderr=log, cwd=tmp_path))
        return workers[-1]

    yield run
    for worker in workers:
        worker.kill()
        worker.wait()


def kill_redis_under_a_held_message(server: KillableRedis, tmp_path: Path) -> None:
    """A worker takes a message, Redis is killed and started again, the task ends; then there is another message."""
    started, go = tmp_path / "started", tmp_path / "go"
    with Celery(broker=server.url, set_as_current=False) as product:
        product.send_task("hold", (str(started), str(go)))
        wait_until(started.exists)
        server.kill()
        log = tmp_path / "worker.log"
        wait_until(lambda: b"Connection to broker lost" in log.read_bytes() or b"Unrecoverable" in log.read_bytes())
        server.start()
        go.touch()
        product.send_task("touch", (str(tmp_path / "touched"),))


def test_a_worker_that_holds_a_message_survives_the_death_of_redis(
    run_worker: Callable[[str], subprocess.Popen[bytes]], redis_to_kill: KillableRedis, tmp_path: Path
) -> None:
    worker = run_worker("shim")
    kill_redis_under_a_held_message(redis_to_kill, tmp_path)
    wait_until((tmp_path / "touched").exists)
    assert worker.poll() is None


def test_with_stock_kombu_it_ends_and_leaves_its_queue(
    run_worker: Callable[[str], subprocess.Popen[bytes]], redis_to_kill: KillableRedis, tmp_path: Path
) -> None:
    worker = run_worker("stock")
    kill_redis_under_a_held_message(redis_to_kill, tmp_path)
    worker.wait(60)
    assert b"'NoneType' object has no attribute 'hostname'" in (tmp_path / "worker.log").read_bytes()
    assert not (tmp_path / "touched").exists()
