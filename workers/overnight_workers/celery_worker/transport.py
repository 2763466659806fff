"""The Redis transports of kombu 5.7.0, without their crash, and with connections that dial again when Redis refuses.

When Redis goes away under a worker that holds an unacknowledged message, Celery 5.7.0 closes the connection twice; the
second close asks a channel for its server, which is None by then, and the worker exits with an AttributeError that
nothing catches. Raising the connection error that it is lets the worker go on. To be deleted when kombu is mended.

A Redis that becomes a replica keeps its connections: waiting workers end by its "UNBLOCKED", which Celery takes for no
lost connection, and publishers meet "READONLY" for ever. One that can't save its snapshot answers "MISCONF" to all that
is written, and stock workers end by it. Our connections end there (`wire.redis_client`), and the worker dials again.

An acknowledgement that fails is only logged, and kombu counts its message as taken for ever: a worker whose places are
all taken so listens to nothing, dials nobody, and answers pings. Here the place is free; the message comes again later.
"""

from __future__ import annotations

from typing import Any, Final

import kombu.transport
import redis
from kombu.transport import redis as kombu_redis
from kombu.transport import virtual

from overnight_models.wire import redis_client


class _KnowsItsEnd:
    """A channel that knows when it has outlived its connection."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        connection: Any = self.connection  # type: ignore[attr-defined]
        if connection is None or connection.client is None:
            raise redis.exceptions.ConnectionError("the channel outlived its connection")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class QoS(kombu_redis.QoS):
    """What a worker has taken and not acknowledged: so many places, and no more messages when all are taken."""

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge. The place is free even when that fails."""
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Drop or give back. The place is free even when that fails."""
        try:
            super().reject(delivery_tag, requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)


class Channel(_KnowsItsEnd, kombu_redis.Channel):
    """Of one server."""

    QoS = QoS
    connection_class = redis_client.PlainConnection
    connection_class_ssl = redis_client.TlsConnection


class SentinelChannel(_KnowsItsEnd, kombu_redis.SentinelChannel):
    """Of the primary that Sentinels name."""

    QoS = QoS
    connection_class = redis_client.SentinelConnection
    connection_class_ssl = redis_client.SentinelTlsConnection


class Transport(kombu_redis.Transport):
    """kombu's Redis transport with that channel."""

    Channel = Channel


class SentinelTransport(kombu_redis.SentinelTransport):
    """kombu's Sentinel transport with that channel."""

    Channel = SentinelChannel


_ALIASES: Final = {"redis": Transport, "rediss": Transport, "sentinel": SentinelTransport}
"""All that `RedisPlace.celery` writes, and what kombu knows of Redis; valkey:// and the others are written as these."""


def install() -> None:
    """Make every URL of a Redis mean these transports; the URL stays what it is, and Flower's Broker page works."""
    for alias, transport in _ALIASES.items():
        kombu.transport.TRANSPORT_ALIASES[alias] = f"{__name__}:{transport.__name__}"
