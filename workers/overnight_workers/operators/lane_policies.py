"""Lanes as each host's workers know them: hosts with other configurations are seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
import redis

from overnight_models import routes

_SHOWN_FOR: Final = timedelta(minutes=2)
"""The sweep shows it every few seconds."""


@dataclass(frozen=True)
class HostPolicy:
    """What the workers of one host go by."""

    host: str
    file: str | None
    """Its overnight.toml; None when there is none."""
    at: datetime
    """When it was shown, by that host's clock."""
    lanes: dict[str, dict[str, object]]
    """By lane, its options, as overnight.toml names them."""


def read(client: redis.Redis) -> list[HostPolicy]:
    """By host, those that were shown lately. Raises redis.RedisError."""
    shown = client.hgetall(routes.HOST_POLICIES_KEY)
    policies = [
        _read(host.decode(), document)
        for host, document in sorted(shown.items())
        if isinstance(host, bytes) and isinstance(document, bytes)
    ]
    return [policy for policy in policies if datetime.now(UTC) - policy.at < _SHOWN_FOR]


def _read(host: str, shown: bytes) -> HostPolicy:
    document = orjson.loads(shown)
    return HostPolicy(host, document["file"], datetime.fromisoformat(document["at"]), document["lanes"])
