"""Products: a worker in a process of its own, and one that takes its messages no faster than it can."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import orjson
import redis

from tests.waiting import wait_until

Json = dict[str, Any]

_APP: Final = '''
import sys
import orjson, redis
from celery import Celery
from overnight_producers import Outcome, callback

app = Celery("shop", broker=sys.argv[1])
app.conf.update(task_default_queue="shop", task_acks_late=True, broker_connection_retry_on_startup=True)
seen = redis.Redis.from_url(sys.argv[1])

def came(task, outcome):
    """Tell the test, and how often this one has come."""
    seen.rpush("came", orjson.dumps([task.name, outcome.key, task.request.id]))
    return seen.incr("came:" + outcome.key)
'''

SAVE: Final = """
@app.task(name="shop.save", bind=True)
@callback(ack=True)
def save(task, outcome: Outcome):
    came(task, outcome)
"""
"""A task that does its work at once, and acknowledges it."""

FAILS_ONCE: Final = """
@app.task(name="shop.save", bind=True)
@callback(ack=True)
def save(task, outcome: Outcome):
    if came(task, outcome) == 1:
        raise OSError("its database is away")
"""
"""A task that fails the first time."""

RETRIES_ONCE: Final = """
@app.task(name="shop.save", bind=True, default_retry_delay=0)
@callback(ack=True)
def save(task, outcome: Outcome):
    if came(task, outcome) == 1:
        raise task.retry(countdown=0)
"""
"""A task that puts itself back into its queue the first time."""

OTHER: Final = """
@app.task(name="shop.other")
def other():
    pass
"""
"""An older deployment: it doesn't know the callback's task yet."""

_RUN: Final = 'app.worker_main(["worker", "-P", "solo", "--without-gossip", "--without-mingle", "-l", "WARNING"])'


@dataclass
class Product:
    """A worker that runs."""

    process: subprocess.Popen[bytes]
    log: Path
    broker: str

    def came(self) -> list[Json]:
        """What its tasks got so far, in order."""
        with redis.Redis.from_url(self.broker) as client:
            return [
                dict(zip(("task", "key", "id"), orjson.loads(raw), strict=True)) for raw in client.lrange("came", 0, -1)
            ]

    def wait_for(self, number: int, timeout_s: float = 30.0) -> list[Json]:
        """Until its tasks got so many messages."""
        wait_until(lambda: len(self.came()) >= number, timeout_s)
        return self.came()


@contextlib.contextmanager
def product(tmp_path: Path, tasks: str, *, broker: str, overnight: str) -> Iterator[Product]:
    """A worker of these tasks, for as long as the block lasts.

    broker: its own.
    overnight: Overnight's Redis, where it acknowledges.
    """
    log = tmp_path / "product.log"
    environment = {**os.environ, "OVERNIGHT_REDIS_URL": overnight}
    code = _APP + tasks + _RUN
    with (
        log.open("ab") as out,
        subprocess.Popen([sys.executable, "-c", code, broker], env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            yield Product(process, log, broker)
        finally:
            process.terminate()


class Taker:
    """A product that takes so many messages a second from its queue, and watches its Redis while it does.

    Each message is a whole one that it keeps the delivery id of.
    """

    def __init__(self, broker: str, queue: str, *, a_second: int) -> None:
        self._broker, self._queue, self._a_second = broker, queue, a_second
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take)
        self.taken: list[str] = []
        self.longest = 0
        """The most messages that ever waited."""
        self.most_memory = 0
        """The most bytes that its Redis ever used."""
        self.hungry_s = 0.0
        """How long it had nothing to do between its first and its last message."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _take(self) -> None:
        with redis.Redis.from_url(self._broker) as client:
            began, owed, empty_since = time.monotonic(), 0.0, 0.0
            # a product's own pace, and nothing that a test waits for
            while not self._stop.wait(0.02):
                self.longest = max(self.longest, int(client.llen(self._queue)))
                self.most_memory = max(self.most_memory, int(client.info("memory")["used_memory_peak"]))
                now = time.monotonic()
                owed, began = owed + (now - began) * self._a_second, now
                messages: Any = client.rpop(self._queue, int(owed)) if owed >= 1 else None
                self.taken += [orjson.loads(message)["headers"]["id"] for message in messages or []]
                if messages:
                    self.hungry_s += now - empty_since if empty_since and self.taken else 0.0
                    owed, empty_since = owed - len(messages), 0.0
                elif owed >= 1:
                    owed, empty_since = 0.0, empty_since or now
