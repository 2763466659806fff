"""The client of `redis_client` for an event loop: the same places, the same connections that dial again."""

from __future__ import annotations

import asyncio
from typing import Any

import redis
from redis import asyncio as redis_asyncio
from redis.asyncio import sentinel
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from overnight_models.wire.redis_client import Options, options_of, refusal_of
from overnight_models.wire.redis_place import RedisPlace


class _DialsAgain:
    """A connection that ends when its server takes no writes: see `redis_client`. A cancellation isn't lost on it."""

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Send a command."""
        task = asyncio.current_task()
        canceled = 0 if task is None else task.cancelling()
        await super().send_packed_command(*args, **options)  # type: ignore[misc]
        if task is not None and task.cancelling() > canceled:
            # redis-py sends within `asyncio.wait_for`, and that of Python 3.11 forgets a cancellation which comes when
            # all is sent: the caller would wait for its answer all the same
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise asyncio.CancelledError

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The next answer. Raises TakesNoWrites."""
        try:
            return await super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            await self.disconnect(nowait=True)  # type: ignore[attr-defined]
            raise refusal(str(error)) from error


class PlainConnection(_DialsAgain, redis_asyncio.Connection):
    """Over TCP."""


class TlsConnection(_DialsAgain, SSLConnection):
    """Over TLS."""


class SocketConnection(_DialsAgain, UnixDomainSocketConnection):
    """Through a socket of this machine."""


class SentinelConnection(_DialsAgain, sentinel.SentinelManagedConnection):
    """To the primary that Sentinels name, asked at each dialling."""


class SentinelTlsConnection(_DialsAgain, sentinel.SentinelManagedSSLConnection):
    """The same, over TLS."""


def async_redis_client(place: RedisPlace, *, timeout_s: float, connect_timeout_s: float) -> redis_asyncio.Redis:
    """A client that never tries again by itself, and never waits for longer than it is said. Of one event loop."""
    waits, options = options_of(place, Retry(NoBackoff(), 0), timeout_s, connect_timeout_s)
    pool: redis_asyncio.ConnectionPool
    if place.master_name:
        tls: Options = {"ssl": True, **place.tls} if place.tls else {}
        kind = SentinelTlsConnection if place.tls else SentinelConnection
        sentinels = sentinel.Sentinel(list(place.nodes), sentinel_kwargs=waits | tls)  # type: ignore[no-untyped-call]
        pool = sentinel.SentinelConnectionPool(  # type: ignore[no-untyped-call]
            place.master_name, sentinels, connection_class=kind, **options
        )
    elif place.socket:
        pool = redis_asyncio.ConnectionPool(connection_class=SocketConnection, path=place.socket, **options)
    else:
        host, port = place.nodes[0]
        tcp = TlsConnection if place.tls else PlainConnection
        pool = redis_asyncio.ConnectionPool(connection_class=tcp, host=host, port=port, **options)
    return redis_asyncio.Redis.from_pool(pool)


async def close(client: redis_asyncio.Redis) -> None:
    """Close a client, with its connections to Sentinels, which redis-py leaves open."""
    await client.aclose()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for each in manager.sentinels if isinstance(manager, sentinel.Sentinel) else ():
        await each.aclose()
