"""Overnight's own Redis, looked at by a process that lives for a moment: how it is, and what the workers left there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NotRequired, TypedDict

import orjson

from overnight_models import routes
from overnight_models.wire.plain_redis import PlainRedis, Reply, Said
from overnight_models.wire.policy import Policy
from overnight_workers.operators import redis_health
from overnight_workers.operators.redis_health import RedisHealth
from overnight_workers.operators.workers import Sign
from overnight_workers.settings import Settings


class WatchedAlarm(TypedDict):
    """An alarm that is on, as `overnight status --json` has it."""

    alarm: str
    urgent: bool
    text: str
    do: str


class Watch(TypedDict):
    """What a worker saw, as it lies in Redis."""

    host: str
    deployment: str
    alarms: list[WatchedAlarm]
    relays: NotRequired[dict[str, str]]
    """Of each relay, how it stands; absent of workers of an older version."""


@dataclass(frozen=True)
class Redis:
    """What one look found."""

    health: RedisHealth
    signs: tuple[Sign, ...] = ()
    """Of the workers that live, by name."""
    policy: Policy | None = None
    """The one in force; None when none is published."""
    watch: Watch | None = None
    """What a worker saw within the last half minute."""
    has_limits: bool = False
    """A rate limit of real time was used in the last day."""


def look(settings: Settings) -> Redis:
    """Look once. Takes seconds at most; never raises."""
    try:
        with PlainRedis(settings.redis_place) as redis:
            wrote, server, memory, policy, watch, pools, names = redis.ask(
                redis_health.PROBE,
                ("INFO", "server"),
                ("INFO", "memory"),
                ("GET", routes.POLICY_KEY),
                ("GET", routes.WATCH_KEY),
                ("HLEN", routes.LIMITER_POOLS_KEY),
                ("SMEMBERS", routes.WORKERS_KEY),
            )
            keys = [routes.WORKER_KEY.format(name.decode()) for name in sorted(_texts(names))]
            (shown,) = redis.ask(("MGET", *keys)) if keys else ([],)
    except (OSError, Said, ValueError) as error:
        return Redis(redis_health.failed(error))
    health = (
        redis_health.failed(wrote) if isinstance(wrote, Said) else redis_health.judged(_info(server) | _info(memory))
    )
    return Redis(
        health,
        tuple(map(Sign.load, _texts(shown))),
        Policy.load(policy) if isinstance(policy, bytes) else None,
        orjson.loads(watch) if isinstance(watch, bytes) else None,
        isinstance(pools, int) and pools > 0,
    )


def _texts(reply: Reply) -> list[bytes]:
    return [text for text in reply if isinstance(text, bytes)] if isinstance(reply, list) else []


def _info(reply: Reply) -> dict[str, str]:
    """A section of INFO; nothing where that may not be asked."""
    if not isinstance(reply, bytes):
        return {}
    lines = (line.partition(":") for line in reply.decode(errors="replace").splitlines() if not line.startswith("#"))
    return {name: value for name, is_pair, value in lines if is_pair}
