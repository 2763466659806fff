"""What one worker process holds: its database, its names, its prices; each made on first use, after the fork."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from overnight_models import routes
from overnight_models.errors import TransientError
from overnight_models.ledger import deployment as ledger
from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.database import Database
from overnight_models.ledger.names import Names
from overnight_models.ledger.prefixes import Prefixes
from overnight_models.money import prices as price_list
from overnight_models.wire.policy import Policy
from overnight_workers.held import held
from overnight_workers.keys.encryption_keys import ConfiguredKeys
from overnight_workers.settings import settings

if TYPE_CHECKING:
    import redis


@held
def database() -> Database:
    """The ledger's database. Raises BadSettings when nobody said where it is."""
    if not settings().database_url:
        settings().require_urls()
    return Database(
        settings().database_url, presence_url=settings().presence_url, options=encryption.options(ConfiguredKeys())
    )


@held
def deployment() -> UUID:
    """The deployment that the ledger is of: what every token is marked with."""
    with database().transaction() as connection:
        return ledger.read(connection).id


@held
def names() -> Names:
    """Lanes, runs, headers and schemas by name."""
    return Names(database())


@held
def prefixes() -> Prefixes:
    """Prefixes by hash; new ones come from Redis, where their producer left them."""

    def fetch(name: str) -> bytes | None:
        import redis

        try:
            document = redis_client().get(routes.PREFIX_KEY.format(name))
        except redis.RedisError as error:
            raise TransientError(f"the prefix can't be read from Redis: {error}") from error
        return document if isinstance(document, bytes) else None

    return Prefixes(database(), fetch)


@held
def prices() -> price_list.Prices:
    """What tokens cost."""
    return price_list.load(settings().prices)


@held
def policy() -> Policy:
    """What products may enqueue."""
    return settings().policy


@held
def redis_client() -> redis.Redis:
    """Overnight's own Redis, beside the broker's connection: replies, doorbells, the policy. Never blocks for long."""
    # who only asks the ledger doesn't import it
    from overnight_models.wire import redis_client as redis_clients

    return redis_clients.redis_client(settings().redis_place, timeout_s=2, connect_timeout_s=2)


@held
def pulse_said_at() -> dict[str, float]:
    """When this process last said of a stage that it runs, by the monotonic clock."""
    return {}


@dataclass(frozen=True)
class Failure:
    """A stage's failure that the ledger hasn't taken yet."""

    why: str
    lasts_s: float
    """For how long it counts, once it is noted."""


@held
def failing() -> dict[str, set[str]]:
    """What stages fail at, as this process knows it, by stage."""
    return {}


@held
def unnoted_failures() -> dict[tuple[str, str], Failure]:
    """By the stage and what it failed at."""
    return {}
