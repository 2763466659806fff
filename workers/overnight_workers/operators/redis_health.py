"""Whether Overnight's own Redis is well: reachable, writable, with memory left.

Rights that are needed: what kombu needs (see docs), SET and DEL. INFO and CONFIG help and aren't needed: without them
less is known, and that is no fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from overnight_models import routes

if TYPE_CHECKING:
    import redis

PROBE: Final = ("SET", "overnight:probe", 1, "PX", 1000)
"""The write that shows whether it takes any."""
_NEARLY_FULL: Final = 0.9
_CODES: Final = {
    "READONLY": "replica",
    "OOM": "full",
    "MISCONF": "unsaved",
    "NOREPLICAS": "lonely",
    "BUSY": "busy",
    "NOAUTH": "denied",
    "WRONGPASS": "denied",
    "NOPERM": "denied",
}
"""Redis' own errors, and what each means."""
_WHY: Final = {
    "replica": "it is a replica and takes no writes; point OVERNIGHT_REDIS_URL at the primary ({})",
    "full": "it is full and takes no writes; raise maxmemory, or let products take their callbacks ({})",
    "unsaved": "it can't save to its disk and takes no writes; make room there, or see its log for why it can't ({})",
    "lonely": "it has fewer replicas than min-replicas-to-write and takes no writes; start them ({})",
    "busy": "it runs a script that doesn't end and takes no commands; SCRIPT KILL ({})",
    "denied": "it doesn't let us in; correct user and password in OVERNIGHT_REDIS_URL ({})",
    "untrusted": "its certificate isn't trusted; set OVERNIGHT_REDIS_CA to the file of those who signed it ({})",
    "away": "it doesn't answer; start it, or correct OVERNIGHT_REDIS_URL ({})",
}


_ANSWERS: Final = frozenset({"replica", "full", "unsaved", "lonely", "busy"})
"""It is there and lets us in."""


@dataclass(frozen=True)
class RedisHealth:
    """What one look found."""

    fault: str | None
    """What is wrong and what to do, one sentence; None when it is well."""
    version: str = "redis"
    """Name and version, as far as it says them."""
    is_away: bool = False
    """It doesn't answer at all."""
    lets_in: bool = True
    """It answers, and user, password and certificate are right."""
    takes_writes: bool = True
    """Where it takes none, what workers show there is as old as that."""
    queues: Mapping[str, int] = field(default_factory=dict)
    """Messages that wait in each queue of the stages; empty when that wasn't asked, or may not be."""


def look(client: redis.Redis) -> RedisHealth:
    """Ask a Redis how it is. Takes at most the client's own timeouts; never raises."""
    import redis

    try:
        client.set(PROBE[1], 1, px=1000)
    except redis.RedisError as error:
        kinds: dict[str, type[Exception] | tuple[type[Exception], ...]] = {
            "replica": redis.ReadOnlyError,
            "full": redis.OutOfMemoryError,
            "denied": (redis.AuthenticationError, redis.exceptions.NoPermissionError),
        }
        return failed(error, next((kind for kind, classes in kinds.items() if isinstance(error, classes)), None))
    with client.pipeline(transaction=False) as asked:
        asked.info("server")
        asked.info("memory")
        for queue in routes.QUEUES:
            asked.llen(queue)
        try:
            server, memory, *lengths = asked.execute(raise_on_error=False)
        except redis.RedisError as error:
            return failed(error)
    info = {name: value for part in (server, memory) if isinstance(part, dict) for name, value in part.items()}
    queues = {queue: length for queue, length in zip(routes.QUEUES, lengths, strict=True) if isinstance(length, int)}
    return replace(judged(info), queues=queues)


def failed(error: Exception, kind: str | None = None) -> RedisHealth:
    """The error of the write, or of the way there, and what to do about it.

    kind: which of the faults it is; None: by its words.
    """
    said = f"{type(error).__name__}: {error}"
    kind = kind or _CODES.get(str(error).partition(" ")[0])
    kind = kind or ("untrusted" if "certificate" in said.lower() else "away")
    return RedisHealth(_WHY[kind].format(said), is_away=kind == "away", lets_in=kind in _ANSWERS, takes_writes=False)


def judged(about: Mapping[str, Any]) -> RedisHealth:
    """What a Redis that takes writes says of itself: its INFO, as far as it may be asked for it."""
    version = f"{about.get('server_name', 'redis')} {about.get('valkey_version') or about.get('redis_version') or ''}"
    limit, used = int(about.get("maxmemory") or 0), int(about.get("used_memory") or 0)
    policy = about.get("maxmemory_policy") or "noeviction"
    fault = None
    if policy != "noeviction":
        fault = f"it evicts keys ({policy}), so it drops messages: set maxmemory-policy noeviction"
    elif limit and used > _NEARLY_FULL * limit:
        fault = (
            f"it uses {used / 1e6:,.0f} of {limit / 1e6:,.0f} MB: raise maxmemory, or let products take their callbacks"
        )
    return RedisHealth(fault, version.strip())
