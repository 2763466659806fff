"""Signs of life: each worker shows every few seconds that it lives, and which queues it takes work from.

A sign is written by the worker's own loop, which takes messages from the broker, and is gone by itself when that stands
still. So whoever reads signs asks no worker anything: one question to Redis costs a hundredth of a broadcast.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from overnight_models import routes

if TYPE_CHECKING:
    import redis

MISSING: Final = "worker missing"
"""The alarm."""
SHOWN_EVERY_S: Final = 10.0
GONE_AFTER_S: Final = 45
_STUCK_S: Final = 60.0
"""A message that a worker has taken, for which it has a process, and that none begins, for so long."""


@dataclass(frozen=True)
class Sign:
    """What a worker shows of itself."""

    worker: str
    """Celery's name of it, such as submit@host."""
    host: str
    queues: tuple[str, ...]
    stuck_s: float = 0.0
    """How long messages have waited in it although it has free processes; 0 when none does."""

    @classmethod
    def load(cls, shown: bytes) -> Sign:
        """As read."""
        document = orjson.loads(shown)
        return cls(document["worker"], document["host"], tuple(document["queues"]), document["stuck_s"])

    @property
    def takes_work(self) -> bool:
        """Whether its processes begin what it takes."""
        return self.stuck_s < _STUCK_S


@dataclass
class Showing:
    """A worker's own view of itself, in the process that takes its messages."""

    worker: Any
    """Celery's WorkController."""
    _shown_at: float = float("-inf")
    _waiting: dict[str, float] = field(default_factory=dict)
    """Messages that no process has begun, and since when that is seen."""

    def beat(self, client: redis.Redis) -> None:
        """Show that it lives, at most every 10 s. Raises redis.RedisError."""
        now = time.monotonic()
        stuck_s = self._stuck_s(now)
        if now - self._shown_at < SHOWN_EVERY_S:
            return
        self._shown_at = now
        name = str(self.worker.hostname)
        queues = tuple(sorted(self.worker.app.amqp.queues.consume_from))
        sign = Sign(name, socket.gethostname(), queues, round(stuck_s, 1))
        with client.pipeline(transaction=False) as written:
            written.sadd(routes.WORKERS_KEY, name)
            written.set(routes.WORKER_KEY.format(name), orjson.dumps(asdict(sign)), ex=GONE_AFTER_S)
            written.execute()

    def _stuck_s(self, now: float) -> float:
        from celery.worker import state

        begun = len(state.active_requests)
        waiting = {request.id for request in state.reserved_requests if request not in state.active_requests}
        self._waiting = {queue: self._waiting.get(queue, now) for queue in waiting}
        if begun >= (self.worker.concurrency or 1):
            self._waiting = dict.fromkeys(waiting, now)
        return max((now - since for since in self._waiting.values()), default=0.0)


def gone(client: redis.Redis, name: str) -> None:
    """A worker stops. Raises redis.RedisError."""
    client.delete(routes.WORKER_KEY.format(name))
    client.srem(routes.WORKERS_KEY, name)


def forget_gone(client: redis.Redis) -> None:
    """Names of workers that haven't shown themselves for long: containers have a new name each. Raises RedisError."""
    names = [name.decode() for name in client.smembers(routes.WORKERS_KEY) if isinstance(name, bytes)]
    if not names:
        return
    shown = client.mget([routes.WORKER_KEY.format(name) for name in names])
    if lost := [name for name, sign in zip(names, shown, strict=True) if sign is None]:
        client.srem(routes.WORKERS_KEY, *lost)


def read(client: redis.Redis) -> tuple[Sign, ...]:
    """The signs of the workers that live, by name. Raises redis.RedisError."""
    names = sorted(name.decode() for name in client.smembers(routes.WORKERS_KEY) if isinstance(name, bytes))
    shown = client.mget([routes.WORKER_KEY.format(name) for name in names]) if names else []
    return tuple(Sign.load(sign) for sign in shown if isinstance(sign, bytes))


def faults_of(signs: Sequence[Sign]) -> list[str]:
    """What keeps queues from being worked on, each in a sentence without its end."""
    if not signs:
        return ["No worker shows that it lives"]
    stuck = [f"Worker {sign.worker} takes messages and begins none" for sign in signs if not sign.takes_work]
    silent = without_worker(signs)
    return [*stuck, *([f"Nobody works on {', '.join(silent)}"] if silent else [])]


def without_worker(signs: Sequence[Sign]) -> list[str]:
    """Queues that nobody takes work from. That of webhooks may have nobody where there are none: *stage silent*."""
    listened_to = {queue for sign in signs if sign.takes_work for queue in sign.queues}
    return [queue for queue in routes.QUEUES if queue not in listened_to and queue != routes.WEBHOOKS]
