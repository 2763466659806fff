"""Callback messages: an outcome as an ordinary Celery message in a product's own queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import kombu
import orjson
from celery import Celery

from overnight_models.errors import TransientError
from overnight_models.ledger import documents
from overnight_models.ledger.deliver import Due
from overnight_workers.settings import settings


class BrokerUnavailable(TransientError):
    """A product's broker didn't take the messages, or not surely; the same are sent again."""


@cache
def broker(name: str) -> Celery:
    """The Celery app that speaks to a product's broker; "" is Overnight's own Redis."""
    url = settings().brokers[name].url.get_secret_value() if name else settings().redis_url
    app = Celery(f"overnight-to-{name or 'own'}", broker=url, set_as_current=False)
    app.conf.update(
        broker_transport_options={
            "socket_timeout": 10,
            "socket_connect_timeout": 5,
            "client_name": "overnight-deliver",
        },
        task_publish_retry=False,
        result_backend=None,
    )
    return app


def queue_length(name: str, queue: str) -> int:
    """Messages that wait in a product's queue. Raises BrokerUnavailable."""
    try:
        with broker(name).pool.acquire(block=True, timeout=10) as connection:
            size = getattr(cast(kombu.Connection, connection).default_channel, "_size", None)
            return int(size(queue)) if size is not None else 0
    except Exception as error:
        raise _unavailable(name, error) from error


def publish(name: str, queue: str, due: Sequence[Due]) -> None:
    """Put one message for each outcome into a product's queue.

    Raises BrokerUnavailable; then any of them may have got through.
    """
    app = broker(name)
    try:
        with app.producer_pool.acquire(block=True, timeout=10) as producer:
            pipelined: Any = producer  # celery-types doesn't know Producer.batch of kombu 5.7
            with pipelined.batch(max_size=500):
                for one in due:
                    _publish(app, pipelined, queue, one)
    except Exception as error:
        raise _unavailable(name, error) from error


def _publish(app: Celery, producer: kombu.Producer, queue: str, due: Due) -> None:
    callback = orjson.loads(due.callback)
    outcome = documents.document(due.outcome)
    message: Any = app.amqp.as_task_v2(
        outcome["delivery_id"],
        callback["task"],
        (),
        {},
        argsrepr=f"(outcome of {outcome['key']!r},)",
        kwargsrepr=repr(callback.get("kwargs") or {}),
        ignore_result=True,
    )
    embed = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    # the answer passes through unparsed, so the body is written here and not by Celery's serializer
    body = orjson.dumps([[outcome, *(callback.get("args") or [])], callback.get("kwargs") or {}, embed])
    producer.publish(
        body.decode(),
        exchange="",
        routing_key=queue,
        content_type="application/json",
        content_encoding="utf-8",
        headers={**message.headers, "overnight_generation": due.generation},
        retry=False,
        **message.properties,
    )


def _unavailable(name: str, error: Exception) -> BrokerUnavailable:
    return BrokerUnavailable(f"broker {name or 'own'!r}: {type(error).__name__}: {error}")
