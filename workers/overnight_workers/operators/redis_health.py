"""Whether Overnight's own Redis is well: reachable, writable, with memory left.

Rights that are needed: what kombu needs (see docs), SET and DEL. INFO and CONFIG help and aren't needed: without them
less is known, and that is no fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import redis

_PROBE_KEY: Final = "overnight:probe"
_NEARLY_FULL: Final = 0.9


@dataclass(frozen=True)
class RedisHealth:
    """What one look found."""

    fault: str | None
    """What is wrong and what to do, one sentence; None when it is well."""
    version: str = "redis"
    """Name and version, as far as it says them."""


def look(client: redis.Redis) -> RedisHealth:
    """Ask a Redis how it is. Takes at most the client's own timeouts; never raises."""
    try:
        client.set(_PROBE_KEY, 1, px=1000)
    except redis.RedisError as error:
        return RedisHealth(_why(error))
    about = _answered(client.info, "server") | _answered(client.info, "memory")
    version = f"{about.get('server_name', 'redis')} {about.get('valkey_version') or about.get('redis_version') or ''}"
    limit, used = int(about.get("maxmemory") or 0), int(about.get("used_memory") or 0)
    policy = about.get("maxmemory_policy") or "noeviction"
    if policy != "noeviction":
        return RedisHealth(
            f"it evicts keys ({policy}), so it drops messages: set maxmemory-policy noeviction", version.strip()
        )
    if limit and used > _NEARLY_FULL * limit:
        return RedisHealth(
            f"it uses {used / 1e6:,.0f} of {limit / 1e6:,.0f} MB: raise maxmemory,"
            " or let products take their callbacks",
            version.strip(),
        )
    return RedisHealth(None, version.strip())


def _answered(ask: Any, section: str) -> dict[str, Any]:
    """A section of INFO; nothing where that may not be asked."""
    try:
        told: dict[str, Any] = ask(section)
    except redis.RedisError:
        return {}
    return told


def _why(error: redis.RedisError) -> str:
    """The error, and what to do about it."""
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, redis.ReadOnlyError):
        return f"it is a replica and takes no writes; point OVERNIGHT_REDIS_URL at the primary ({said})"
    if isinstance(error, redis.OutOfMemoryError):
        return f"it is full and takes no writes; raise maxmemory, or let products take their callbacks ({said})"
    if isinstance(error, (redis.AuthenticationError, redis.exceptions.NoPermissionError)):
        return f"it doesn't let us in; correct user and password in OVERNIGHT_REDIS_URL ({said})"
    if "certificate" in said.lower():
        return f"its certificate isn't trusted; set OVERNIGHT_REDIS_CA to the file of those who signed it ({said})"
    return f"it doesn't answer; start it, or correct OVERNIGHT_REDIS_URL ({said})"
