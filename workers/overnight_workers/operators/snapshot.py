"""The snapshot: everything that operators see, read at one moment; `overnight status` and Flower show the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from overnight_models import routes
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import overview
from overnight_models.ledger.operators.overview import BatchView, DeadDelivery, LaneView, TurnaroundView
from overnight_models.ledger.operators.troubles import Troubles, troubles
from overnight_models.ledger.workspaces import WorkspaceState, workspaces
from overnight_models.states import BATCH
from overnight_models.wire.policy import Policy
from overnight_workers.operators import redis_health, workers
from overnight_workers.operators.alarm_kinds import Alarm
from overnight_workers.operators.alarms import alarms
from overnight_workers.operators.redis_health import RedisHealth
from overnight_workers.operators.workers import Sign
from overnight_workers.settings import Settings

if TYPE_CHECKING:
    import redis

    from overnight_models.ledger.counters import Counter
    from overnight_models.ledger.database import Database
    from overnight_models.ledger.money.plans import PlanError
    from overnight_workers.limiter import PoolUse

MOST_UNFINISHED: Final = 200
MOST_FINISHED: Final = 12


@dataclass(frozen=True)
class Snapshot:
    """The ledger at one moment, in one transaction."""

    at: datetime
    lanes: tuple[LaneView, ...]
    unfinished: tuple[BatchView, ...]
    finished: tuple[BatchView, ...]
    workspaces: tuple[WorkspaceState, ...]
    turnarounds: dict[str, TurnaroundView]
    """By lane; a lane without history isn't in it."""
    dead: tuple[DeadDelivery, ...]
    troubles: Troubles
    redis: RedisHealth | None = None
    """Overnight's own Redis; None when it wasn't asked."""
    policy: Policy | None = None
    """The policy in force, as the workers have published it; None when none is, or Redis wasn't asked."""
    limits: tuple[PoolUse, ...] = ()
    """Rate limits of real time that were used in the last day; none when Redis wasn't asked."""
    counters: tuple[Counter, ...] = ()
    """What has happened so far, for metrics."""
    plan_errors: tuple[PlanError, ...] = ()
    signs: tuple[Sign, ...] | None = None
    """Of the workers that live; None when Redis wasn't asked, or didn't say."""

    def lanes_in_force(self, settings: Settings) -> frozenset[str]:
        """The lanes that the workers know; by these settings, where they haven't said so."""
        return frozenset(settings.lanes if self.policy is None else self.policy.lanes)

    def alarms(self, settings: Settings) -> list[Alarm]:
        """Every alarm that is on, the urgent ones first."""
        return alarms(
            lanes=self.lanes,
            workspaces=self.workspaces,
            troubles=self.troubles,
            dead=self.dead,
            settings=settings,
            redis=self.redis,
            signs=self.signs,
            policy=self.policy,
        )


@dataclass(frozen=True)
class Look:
    """What a look at the ledger found."""

    snapshot: Snapshot | None
    """The newest that could be read; None when nothing could be read yet."""
    fault: str | None
    """Why there is no newer one."""


class InRedis(NamedTuple):
    """What Overnight's own Redis said: fields of a `Snapshot`."""

    redis: RedisHealth | None = None
    policy: Policy | None = None
    limits: tuple[PoolUse, ...] = ()
    signs: tuple[Sign, ...] | None = None


def take_snapshot(database: Database, client: redis.Redis | None = None) -> Snapshot:
    """Read everything that the pages show. Raises DatabaseUnavailable; ProgrammingError without a schema.

    client: Overnight's own Redis, which is asked how it is and for the policy in force before the ledger is read.
    """
    from overnight_models.ledger import counters
    from overnight_models.ledger.money import plans

    said = InRedis() if client is None else _ask(client)
    # all of it at one moment: what moves meanwhile isn't seen in two places
    with database.snapshot() as connection:
        seen = read_snapshot(connection, said)
        return replace(seen, counters=tuple(counters.counters(connection)), plan_errors=tuple(plans.errors(connection)))


def read_snapshot(connection: Connection, said: InRedis) -> Snapshot:
    """The same without what only metrics have, where Redis has been asked, in a transaction that sees one moment."""
    return Snapshot(
        at=datetime.now(UTC),
        lanes=tuple(overview.lanes(connection)),
        unfinished=tuple(overview.batches(connection, states=BATCH.unfinished, limit=MOST_UNFINISHED)),
        finished=tuple(overview.batches(connection, states=sorted(BATCH.final), limit=MOST_FINISHED)),
        workspaces=tuple(workspaces(connection)),
        turnarounds={turnaround.lane: turnaround for turnaround in overview.turnarounds(connection)},
        dead=tuple(overview.dead_deliveries(connection)),
        troubles=troubles(connection),
        redis=said.redis,
        policy=said.policy,
        limits=said.limits,
        signs=said.signs,
    )


def _ask(client: redis.Redis) -> InRedis:
    from overnight_workers.limiter import Limiter, limits_of

    health = redis_health.look(client)
    return InRedis(
        redis=health,
        policy=None if health.is_away else _policy(client),
        signs=_signs(client) if health.takes_writes else None,
        limits=tuple(Limiter(client, limits_of).use()) if health.takes_writes else (),
    )


def _policy(client: redis.Redis) -> Policy | None:
    import redis

    try:
        published = client.get(routes.POLICY_KEY)
        return Policy.load(published) if isinstance(published, bytes) else None
    except (redis.RedisError, ValueError, KeyError):
        return None


def _signs(client: redis.Redis) -> tuple[Sign, ...] | None:
    import redis

    try:
        return workers.read(client)
    except (redis.RedisError, ValueError, KeyError):
        return None
