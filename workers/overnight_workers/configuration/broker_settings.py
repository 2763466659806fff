"""`[own_broker]` and `[brokers.NAME]`: what callbacks go through, and how much it may be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_models.errors import BadSettings
from overnight_models.wire.redis_place import RedisPlace, is_redis, read_redis_url
from overnight_workers.configuration.kinds import optional, size, text, whole
from overnight_workers.configuration.reading import Faults, required_secret, setting
from overnight_workers.configuration.target_pace import TargetPace
from overnight_workers.configuration.url_sources import is_source, url_at, url_or_source
from overnight_workers.configuration.urls import broker_url


@dataclass(frozen=True, kw_only=True)
class BrokerLimits(TargetPace):
    """`[own_broker]`: how much callbacks may put into Overnight's own Redis."""

    max_queue: int = setting(whole(1), 100_000)
    """Messages in a callback's queue above which deliveries wait."""
    max_memory: int | None = setting(optional(size(10_000_000)), None)
    """Bytes that a Redis may use, whoever uses them, before deliveries wait; default: nine tenths of its maxmemory."""
    by_reference_above: int | None = setting(optional(size(1_000)), None)
    """Bytes of an answer above which it isn't sent: its outcome has `claim`, and its product reads it from Overnight.
    None: each is sent whole, however large. `Outcome.text` of products of 0.1.0 is empty then: update them first."""


@dataclass(frozen=True, kw_only=True)
class Broker(BrokerLimits):
    """`[brokers.NAME]`: a Redis (or other Celery broker) that callbacks go through."""

    url: str = required_secret(url_or_source(broker_url))
    """The URL, or where it is: `env:VARIABLE`, `file:PATH`, `command:PROGRAM ARGUMENTS`."""
    key_prefix: str = setting(text, "")
    """What the product's Celery puts before every key of its Redis (`global_keyprefix`)."""
    ca_file: str = setting(text, "")
    """Certificates (PEM) that a Redis over TLS is verified by; default: those that the machine trusts."""
    master_name: str = setting(text, "")
    """What the Sentinels of a `sentinel://` call the primary."""

    @property
    def is_elsewhere(self) -> bool:
        """Whether its URL isn't here, only where it is: it is judged when it is needed."""
        return is_source(self.url)

    @property
    def link(self) -> str:
        """Its URL, as it is now. Raises BadSettings, without anything of it."""
        return url_at(self.url, broker_url)

    @property
    def is_redis(self) -> bool:
        """Whether it is a Redis at that URL. Raises BadSettings."""
        return is_redis(self.link)

    @property
    def redis_place(self) -> RedisPlace:
        """Where that Redis is. Raises BadSettings."""
        return read_redis_url(self.link, ca_file=self.ca_file, master_name=self.master_name)


def without_urls(brokers: Mapping[str, Broker]) -> list[str]:
    """Of each broker whose URL isn't where it says: a line that says why, without anything of a URL in it."""
    lines = []
    for name, broker in brokers.items():
        try:
            _ = broker.link
        except BadSettings as error:
            lines.append(f"[brokers.{name}] takes nothing, its outcomes wait: {'; '.join(error.faults)}")
    return lines


_OF_REDIS: Final = {
    "max_memory": "only a Redis (redis://, rediss://, …) says how much it uses",
    "key_prefix": "only a Redis (redis://, rediss://, …) has keys to put it before",
    "ca_file": "only for a Redis (redis://, rediss://, …)",
    "master_name": "only for a Redis (redis://, rediss://, …)",
}
"""Settings of a broker that mean nothing for others, and why."""


def brokers_fit(brokers: Mapping[str, Broker], faults: Faults) -> None:
    """Add what is wrong with them: options that mean nothing for a broker that is no Redis."""
    for name, broker in brokers.items():
        if not faults.is_right("brokers", name, "url") or broker.is_elsewhere or broker.is_redis:
            continue
        for option, why in _OF_REDIS.items():
            if getattr(broker, option):
                faults.add(("brokers", name, option), why)
