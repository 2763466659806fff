"""The Redis transport of kombu 5.7.0, without its crash.

When Redis goes away under a worker that holds an unacknowledged message, Celery 5.7.0 closes the connection twice; the
second close asks a channel for its server, which is None by then, and the worker exits with an AttributeError that
nothing catches. Raising the connection error that it is lets the worker go on. To be deleted when kombu is mended.
"""

from __future__ import annotations

from typing import Any

import kombu.transport
import redis
from kombu.transport import redis as kombu_redis


class Channel(kombu_redis.Channel):
    """A channel that knows when it has outlived its connection."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        connection: Any = self.connection
        if connection is None or connection.client is None:
            raise redis.exceptions.ConnectionError("the channel outlived its connection")
        params: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return params


class Transport(kombu_redis.Transport):
    """kombu's Redis transport with that channel."""

    Channel = Channel


def install() -> None:
    """Make `redis://` mean this transport; the URL stays what it is, and Flower's Broker page works."""
    kombu.transport.TRANSPORT_ALIASES["redis"] = f"{__name__}:Transport"
