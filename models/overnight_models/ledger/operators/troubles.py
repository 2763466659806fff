"""Troubles: what needs more than patience, or may soon: batches unclear or overdue, results unread, brokers away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger import deployment
from overnight_models.ledger.bodies import damaged, said
from overnight_models.ledger.bodies.damaged import Damaged
from overnight_models.ledger.bodies.requests import UnreadableRequests, unreadable
from overnight_models.ledger.catalogs import late_runs, runs, schedules
from overnight_models.ledger.catalogs.late_runs import LateRun
from overnight_models.ledger.catalogs.runs import Waiting
from overnight_models.ledger.catalogs.schedules import Neglected
from overnight_models.ledger.collect.caching import GivenUp, given_up
from overnight_models.ledger.collect.readable import READABLE
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver import unread_queues
from overnight_models.ledger.deliver.obstacles import Obstacle, full_queues, unreachable_brokers
from overnight_models.ledger.deliver.unread_queues import UnreadQueue
from overnight_models.ledger.deployment import Deployment
from overnight_models.ledger.money.budgets import BudgetView, budgets
from overnight_models.ledger.operators.failures import Failing, failing
from overnight_models.ledger.operators.pulse import Pulse, pulses
from overnight_models.ledger.relays import seen
from overnight_models.ledger.relays.seen import RelayView
from overnight_models.ledger.roads.kept import Late, Limited, late, limited
from overnight_models.ledger.rows import fetch_all, fetch_value

RESULTS_KEPT_S: Final = 29 * 86400.0
"""From its creation on, as long as the API keeps a batch's results."""


@dataclass(frozen=True)
class UnclearView:
    """A batch of which nobody knows whether it was created, and what is known about that."""

    batch_id: int
    submission_id: int
    workspace: str
    items: int
    why: str | None
    """What was seen of its create."""
    so_far: str | None
    """What the last look at the API said."""
    claimed_at: datetime
    let_go_at: datetime | None
    """When its last bytes were let go; none when it was restored from a backup."""
    quiet_s: float
    """Until the allowances for being listed late are over; negative since when they are."""
    candidates: tuple[str, ...]
    """API ids of unproven batches that may be it, those of as many requests first: counts prove nothing."""


class _Unclear(NamedTuple):
    """An `UnclearView` as the tables have it."""

    batch_id: int
    submission_id: int
    workspace: str
    items: int
    why: str | None
    so_far: str | None
    claimed_at: datetime
    let_go_at: datetime | None
    quiet_s: float
    candidates: list[str]


def unclear(connection: Connection, batch_id: int | None = None) -> list[UnclearView]:
    """Unclear batches (or this batch alone), the oldest first."""
    rows = fetch_all(
        connection,
        _Unclear,
        f"""
        SELECT batch.id AS batch_id, submission.id AS submission_id, headers.workspace, submission.items,
               {said.listed_in_sql("submission.error")} AS why, {said.listed_in_sql("batch.reason")} AS so_far,
               claimed_at, let_go_at,
               extract(epoch FROM coalesce(quiet_after, claimed_at) - now())::float AS quiet_s,
               coalesce((
                   SELECT array_agg(
                       sighting.api_id ORDER BY sighting.believed_of IS DISTINCT FROM submission.id,
                       sighting.items IS DISTINCT FROM submission.items, sighting.api_created_at
                   )
                   FROM sighting
                   WHERE sighting.workspace = headers.workspace AND sighting.ours IS NULL
                     AND (sighting.believed_of = submission.id OR sighting.api_created_at BETWEEN
                          submission.claimed_at - interval '1 hour'
                          AND coalesce(submission.quiet_after, submission.claimed_at) + interval '1 hour')
                     AND NOT EXISTS (SELECT FROM submission known WHERE known.api_id = sighting.api_id)
               ), '{{}}') AS candidates
        FROM submission JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        WHERE submission.state = 'unclear' AND (CAST(:batch_id AS bigint) IS NULL OR batch.id = :batch_id)
        ORDER BY claimed_at
        """,
        batch_id=batch_id,
    )
    return [UnclearView(*row[:-1], candidates=tuple(row.candidates)) for row in rows]


@dataclass(frozen=True)
class Overdue:
    """A batch that runs longer than the API lets any run."""

    batch_id: int
    api_id: str
    open_s: float
    """Since the API created it."""


@dataclass(frozen=True)
class Unread:
    """A batch that has ended and whose results aren't recorded."""

    batch_id: int
    api_id: str
    ended_s: float
    """Since it ended."""
    kept_s: float
    """Until the API lets go of its results."""
    reads: int
    """How often its results were begun to be read."""
    why: str | None


@dataclass(frozen=True)
class Troubles:
    """All of them at one moment."""

    deployment: Deployment
    unlooked: tuple[str, ...]
    """Workspaces that aren't sent to before they were looked at."""
    unclear: tuple[UnclearView, ...]
    overdue: tuple[Overdue, ...]
    unread: tuple[Unread, ...]
    obstacles: tuple[Obstacle, ...] = ()
    """Brokers that don't answer, then queues that are full; of each the oldest first."""
    unread_queues: tuple[UnreadQueue, ...] = ()
    """Queues of products with messages, and since when nobody has taken the oldest."""
    holding: tuple[BudgetView, ...] = ()
    """Budgets that hold items."""
    budgets: tuple[BudgetView, ...] = ()
    """All of them."""
    given_up: tuple[GivenUp, ...] = ()
    """Caching that lost money."""
    pulses: tuple[Pulse, ...] = ()
    """When each stage last ran, and since when it has work."""
    failures: tuple[Failing, ...] = ()
    """What stages fail at, by stage, what has failed longest first."""
    late: tuple[Late, ...] = ()
    """Deadlines that are over, or will be before an answer comes."""
    limited: tuple[Limited, ...] = ()
    """What waits for its rate limit."""
    unreadable: tuple[UnreadableRequests, ...] = ()
    """Items that are held because their requests can't be read."""
    damaged: tuple[Damaged, ...] = ()
    """Groups of bodies that can't be read."""
    read_only: str | None = None
    """Why Postgres takes no writes; None when it does."""
    relays: tuple[RelayView, ...] = ()
    """What takes on the inboxes of products' databases."""
    neglected: tuple[Neglected, ...] = ()
    """Schedules whose last time wants a person."""
    waiting_runs: tuple[Waiting, ...] = ()
    """Runs of catalogs that lack something, or ask."""
    late_runs: tuple[LateRun, ...] = ()
    """Runs of catalogs that will likely miss their `finish_by`."""


def why_read_only(connection: Connection) -> str | None:
    """Why this server takes no writes from anybody, as far as it says so; None when it takes them.

    A role of its own that may only read is no fault.
    """
    return fetch_value(
        connection,
        str,
        """
        SELECT CASE
            WHEN pg_is_in_recovery() THEN 'it is a standby, and is not the primary'
            WHEN EXISTS (
                SELECT FROM pg_settings
                WHERE name = 'default_transaction_read_only' AND setting = 'on'
                  AND source NOT IN ('user', 'database user', 'client', 'session', 'interactive', 'test')
            ) THEN 'default_transaction_read_only is on, as on a primary that was replaced'
        END AS why
        """,
    )


def troubles(connection: Connection) -> Troubles:
    """What there is; none of it costs more when the tables are large."""
    known = budgets(connection)
    return Troubles(
        deployment=deployment.read(connection),
        unlooked=tuple(deployment.unlooked(connection)),
        unclear=tuple(unclear(connection)),
        overdue=tuple(_overdue(connection)),
        unread=tuple(_unread(connection)),
        given_up=tuple(given_up(connection)),
        pulses=tuple(pulses(connection)),
        failures=tuple(failing(connection)),
        late=tuple(late(connection)),
        limited=tuple(limited(connection)),
        unreadable=tuple(unreadable(connection)),
        damaged=tuple(damaged.noted(connection)),
        read_only=why_read_only(connection),
        relays=tuple(seen.relays(connection)),
        neglected=tuple(schedules.neglected(connection)),
        waiting_runs=tuple(runs.waiting(connection)),
        late_runs=tuple(late_runs.late_runs(connection)),
        obstacles=(*unreachable_brokers(connection), *full_queues(connection)),
        unread_queues=tuple(unread_queues.unread(connection)),
        holding=tuple(budget for budget in known if budget.held),
        budgets=tuple(known),
    )


def _overdue(connection: Connection) -> Sequence[Overdue]:
    """Batches that the API still shows as running an hour after it should have ended them."""
    return fetch_all(
        connection,
        Overdue,
        """
        SELECT batch_id, api_id, extract(epoch FROM now() - api_created_at)::float AS open_s FROM submission
        WHERE state = 'open' AND ended_at IS NULL
          AND now() > coalesce(api_expires_at, api_created_at + interval '24 hours') + interval '1 hour'
        ORDER BY api_created_at LIMIT 100
        """,
    )


def _unread(connection: Connection) -> Sequence[Unread]:
    """Batches that have ended, and whose results nobody has read to their end."""
    return fetch_all(
        connection,
        Unread,
        f"""
        SELECT batch_id, api_id, extract(epoch FROM now() - ended_at)::float AS ended_s,
               :kept_s - extract(epoch FROM now() - api_created_at)::float AS kept_s, reads, error AS why
        FROM submission
        WHERE {READABLE}
        ORDER BY api_created_at LIMIT 100
        """,
        kept_s=RESULTS_KEPT_S,
    )
