"""Overnight's own Redis, looked at by a process that lives for a moment: how it is, and what the workers left there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from overnight_models import routes
from overnight_models.wire.plain_redis import PlainRedis, Reply, Said
from overnight_models.wire.policy import Policy
from overnight_workers.operators import redis_health
from overnight_workers.operators.redis_health import RedisHealth
from overnight_workers.operators.workers import Sign
from overnight_workers.settings import Settings


@dataclass(frozen=True)
class Redis:
    """What one look found."""

    health: RedisHealth
    signs: tuple[Sign, ...] = ()
    """Of the workers that live, by name."""
    policy: Policy | None = None
    """The one in force; None when none is published."""
    watch: dict[str, Any] | None = None
    """What a worker saw within the last half minute: `deployment`, `host`, `alarms` as `overnight status` has them."""


def look(settings: Settings) -> Redis:
    """Look once. Takes seconds at most; never raises."""
    try:
        with PlainRedis(settings.redis_place) as redis:
            wrote, server, memory, policy, watch, names = redis.ask(
                redis_health.PROBE,
                ("INFO", "server"),
                ("INFO", "memory"),
                ("GET", routes.POLICY_KEY),
                ("GET", routes.WATCH_KEY),
                ("SMEMBERS", routes.WORKERS_KEY),
            )
            keys = [routes.WORKER_KEY.format(name.decode()) for name in sorted(_list(names)) if isinstance(name, bytes)]
            (shown,) = redis.ask(("MGET", *keys)) if keys else ([],)
    except (OSError, Said, ValueError) as error:
        return Redis(redis_health.failed(error))
    health = (
        redis_health.failed(wrote) if isinstance(wrote, Said) else redis_health.judged(_info(server) | _info(memory))
    )
    return Redis(
        health,
        tuple(Sign.load(sign) for sign in _list(shown) if isinstance(sign, bytes)),
        Policy.load(policy) if isinstance(policy, bytes) else None,
        orjson.loads(watch) if isinstance(watch, bytes) else None,
    )


def _list(reply: Reply) -> list[Any]:
    return reply if isinstance(reply, list) else []


def _info(reply: Reply) -> dict[str, str]:
    """A section of INFO; nothing where that may not be asked."""
    if not isinstance(reply, bytes):
        return {}
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if not line.startswith("#"))
    return {name: value for name, is_pair, value in lines if is_pair}
