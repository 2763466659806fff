"""A redis-py client of a place, and the connections under it, which dial again when their Redis takes no writes."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, TypeAlias

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from overnight_models.wire.redis_place import RedisPlace

Options: TypeAlias = dict[str, Any]
"""What redis-py makes connections with."""

_UNBLOCKED: Final = "UNBLOCKED"
"""What a Redis that becomes a replica says to those who wait in a BRPOP."""
_REFUSALS: Final = ("MISCONF", "NOREPLICAS", "BUSY ", "UNKILLABLE")
"""It can't save its snapshot, has too few replicas, or runs a script that doesn't end."""


class TakesNoWrites(redis.ResponseError, redis.ConnectionError):
    """The Redis takes no writes from anybody; nothing was written. The connection is closed: the next is dialled.

    An answer of the server, and for whoever tries lost connections again a lost connection.
    """


class Demoted(TakesNoWrites, redis.ReadOnlyError):
    """… because it is a replica."""


class Full(TakesNoWrites, redis.OutOfMemoryError):
    """… because its memory is full; it takes what needs none."""


class _DialsAgain:
    """A connection that ends when its server takes no writes.

    The address of a replica may lead to the new primary the next time. For the others there is Celery, which waits for
    a lost connection, longer and longer, and ends the worker for any other answer.
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **{**_named(), **options})

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The next answer. Raises TakesNoWrites."""
        try:
            return super().read_response(*args, **options)  # type: ignore[misc]
        except redis.ResponseError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            self.disconnect()  # type: ignore[attr-defined]
            raise refusal(str(error)) from error


@cache
def _named() -> dict[str, object]:
    """What connections call themselves. redis-py looks up its version for each, which takes longer than to dial."""
    try:
        from redis.driver_info import DriverInfo
    except ImportError:  # of redis-py 7.0, which looks it up once
        return {}
    return {"driver_info": DriverInfo()}


def refusal_of(error: redis.ResponseError) -> type[TakesNoWrites] | None:
    """Why it takes no writes; None: the answer is about what was asked."""
    said = str(error)
    if isinstance(error, redis.ReadOnlyError) or said.startswith(_UNBLOCKED):
        return Demoted
    if isinstance(error, redis.OutOfMemoryError):
        return Full
    return TakesNoWrites if said.startswith(_REFUSALS) else None


class PlainConnection(_DialsAgain, redis.Connection):
    """Over TCP."""


class TlsConnection(_DialsAgain, redis.SSLConnection):
    """Over TLS."""


class SocketConnection(_DialsAgain, redis.UnixDomainSocketConnection):
    """Through a socket of this machine."""


class SentinelConnection(_DialsAgain, SentinelManagedConnection):
    """To the primary that Sentinels name, asked at each dialling."""


class SentinelTlsConnection(_DialsAgain, SentinelManagedSSLConnection):
    """The same, over TLS."""


def options_of(place: RedisPlace, retry: object, timeout_s: float, connect_timeout_s: float) -> tuple[Options, Options]:
    """How long a client waits, and all else that its connections to a place are made with."""
    waits: Options = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": connect_timeout_s,
        "retry": retry,
    }
    options: Options = {
        **waits,
        **(place.tls or {}),
        "db": place.database,
        "username": place.username,
        "password": place.password,
    }
    return waits, options


def redis_client(place: RedisPlace, *, timeout_s: float, connect_timeout_s: float) -> redis.Redis:
    """A client that never tries again by itself, and never waits for longer than it is said."""
    waits, options = options_of(place, Retry(NoBackoff(), 0), timeout_s, connect_timeout_s)
    pool: redis.ConnectionPool
    if place.master_name:
        tls: Options = {"ssl": True, **place.tls} if place.tls else {}
        kind = SentinelTlsConnection if place.tls else SentinelConnection
        sentinels = Sentinel(list(place.nodes), sentinel_kwargs=waits | tls)  # type: ignore[no-untyped-call]
        pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]
            place.master_name, sentinels, connection_class=kind, **options
        )
    elif place.socket:
        pool = redis.ConnectionPool(connection_class=SocketConnection, path=place.socket, **options)
    else:
        host, port = place.nodes[0]
        tcp = TlsConnection if place.tls else PlainConnection
        pool = redis.ConnectionPool(connection_class=tcp, host=host, port=port, **options)
    return redis.Redis.from_pool(pool)
