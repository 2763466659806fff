"""Callback messages: an outcome as an ordinary Celery message in a product's own queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Protocol

import orjson
import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from overnight_models.crash_points import reach
from overnight_models.envelope import NO_CANVAS, write_envelope
from overnight_models.errors import TransientError
from overnight_models.ledger import documents
from overnight_models.ledger.deliver import Due
from overnight_workers.settings import settings

_TIMEOUT_S: Final = 10
_PUSHED_AT_ONCE: Final = 500


class BrokerUnavailable(TransientError):
    """A product's broker didn't take the messages, or not surely; the same are sent again."""


class Broker(Protocol):
    """What takes a product's messages. Both calls raise BrokerUnavailable."""

    def queue_length(self, queue: str) -> int:
        """Messages that wait in a queue."""

    def publish(self, queue: str, due: Sequence[Due]) -> None:
        """Put one message for each outcome into a queue; after an error any of them may have got through."""


@cache
def broker(name: str) -> Broker:
    """The broker of that name; "" is Overnight's own Redis."""
    url = settings().brokers[name].url.get_secret_value() if name else settings().redis_url
    return RedisBroker(name, url) if url.startswith(("redis://", "rediss://")) else KombuBroker(name, url)


class RedisBroker:
    """A Redis: messages are written here and pushed by the hundred, some ten times faster than by kombu."""

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._redis = redis.Redis.from_url(
            url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=5, retry=Retry(NoBackoff(), 0)
        )

    def queue_length(self, queue: str) -> int:
        """Messages that wait in a queue."""
        try:
            length: Any = self._redis.llen(queue)
        except redis.RedisError as error:
            raise _unavailable(self._name, error) from error
        return int(length)

    def publish(self, queue: str, due: Sequence[Due]) -> None:
        """Put one message for each outcome into a queue."""
        try:
            for first in range(0, len(due), _PUSHED_AT_ONCE):
                reach("before publish")
                self._redis.lpush(queue, *(_enveloped(queue, one) for one in due[first : first + _PUSHED_AT_ONCE]))
                reach("after publish")
        except redis.RedisError as error:
            raise _unavailable(self._name, error) from error


class KombuBroker:
    """Any other broker that Celery speaks to."""

    def __init__(self, name: str, url: str) -> None:
        self._name = name
        self._app = Celery(f"overnight-to-{name}", broker=url, set_as_current=False)
        self._app.conf.update(task_publish_retry=False, result_backend=None)
        self._no_such_queue: tuple[type[BaseException], ...] = self._app.connection_for_write().channel_errors

    def queue_length(self, queue: str) -> int:
        """Messages that wait in a queue; 0 when it doesn't exist yet."""
        try:
            with self._app.connection_for_write() as connection:
                channel: Any = connection.default_channel
                return int(channel.queue_declare(queue, passive=True).message_count)
        except self._no_such_queue:
            return 0
        except Exception as error:  # each transport has errors of its own
            raise _unavailable(self._name, error) from error

    def publish(self, queue: str, due: Sequence[Due]) -> None:
        """Put one message for each outcome into a queue."""
        try:
            with self._app.producer_pool.acquire(block=True, timeout=_TIMEOUT_S) as producer:
                for one in due:
                    args, kwargs, task, headers = _call(one)
                    reach("before publish")
                    self._app.send_task(
                        task,
                        orjson.loads(orjson.dumps(args)),
                        kwargs,
                        queue=queue,
                        producer=producer,
                        task_id=args[0]["delivery_id"],
                        argsrepr=_shown(args[0]),
                        headers=headers,
                    )
                    reach("after publish")
        except Exception as error:  # each transport has errors of its own
            raise _unavailable(self._name, error) from error


def _call(due: Due) -> tuple[list[Any], dict[str, Any], str, dict[str, Any]]:
    """Arguments, keyword arguments, task and headers of one callback."""
    callback = orjson.loads(due.callback)
    args = [documents.document(due.outcome), *(callback.get("args") or [])]
    return args, callback.get("kwargs") or {}, callback["task"], {"overnight_generation": due.generation}


def _shown(outcome: dict[str, Any]) -> str:
    return f"(outcome of {outcome['key']!r},)"


def _enveloped(queue: str, due: Due) -> bytes:
    args, kwargs, task, headers = _call(due)
    body = orjson.dumps([args, kwargs, NO_CANVAS])
    return write_envelope(
        task, body, queue=queue, task_id=args[0]["delivery_id"], shown=_shown(args[0]), headers=headers
    )


def _unavailable(name: str, error: Exception) -> BrokerUnavailable:
    return BrokerUnavailable(f"broker {name or 'own'!r}: {type(error).__name__}: {error}")
