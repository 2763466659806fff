"""A worker and a beat with our transports and nothing else of ours, started and stopped in a moment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from celery import Celery

from overnight_models.wire.redis_place import RedisPlace
from tests.waiting import wait_until

_APP: Final = """
import sys
import time
from pathlib import Path

from celery import Celery
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.celery_worker import transport

if sys.argv[1] == "ours":
    transport.install()
app = Celery(set_as_current=True)
app.conf.update(
    **read_redis_url(sys.argv[2], master_name="mine").celery({"socket_timeout": 5}),
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    task_publish_retry=False,
    beat_schedule={"tick": {"task": "touch", "schedule": 0.5, "args": [sys.argv[4]], "options": {"queue": "ticks"}}},
    beat_max_loop_interval=0.5,
)

@app.task(name="touch")
def touch(path):
    Path(path).touch()

@app.task(name="hold")
def hold(path):
    Path(path + ".held").touch()
    while not Path(path).exists():
        time.sleep(0.01)  # it stands in a task until the test lets it go

if sys.argv[3] == "worker":
    app.worker_main(["worker", "-P", "prefork", "-c", "1", "--without-gossip", "--without-mingle", "-l", "WARNING"])
else:
    app.start(["beat", "-s", sys.argv[4] + ".schedule", "-l", "WARNING"])
"""

Start = Callable[..., subprocess.Popen[bytes]]
"""Starts "worker" or "beat" at the URL of a Redis; `transport="stock"`: with kombu's own transports."""


@contextmanager
def starting(place: Path) -> Iterator[Start]:
    """What starts them, for as long as the block lasts; the log of each is in a file of its name."""
    running: list[subprocess.Popen[bytes]] = []

    def run(what: str, url: str, *, transport: str = "ours") -> subprocess.Popen[bytes]:
        with (place / f"{what}.log").open("wb") as log:
            argv = [sys.executable, "-c", _APP, transport, url, what, str(place / what)]
            running.append(subprocess.Popen(argv, stdout=log, stderr=log, cwd=place))
        return running[-1]

    try:
        yield run
    finally:
        for process in running:
            process.kill()
            process.wait()


def ask(place: RedisPlace, path: Path) -> None:
    """Have the worker do something, and wait until it is done."""
    with Celery(set_as_current=False) as product:
        product.conf.update(place.celery())
        product.send_task("touch", (str(path),))
    wait_until(path.exists)
