"""The overview: what operators look at, in `overnight status`, `overnight batches` and Flower."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.bodies import said
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack.turns import oldest
from overnight_models.ledger.roads.kept import NONE_YET, Kept, kept
from overnight_models.ledger.rows import fetch_all
from overnight_models.states import BATCH


@dataclass(frozen=True)
class LaneView:
    """One lane: items and deliveries by state, and how long the oldest has waited."""

    lane: str
    paused_reason: str | None
    items: dict[str, int]
    deliveries: dict[str, int]
    batches: dict[str, int]
    oldest_waiting_s: float | None
    cost_nano: int
    realtime_nano: int
    paid_twice: int
    """Answers that were billed although their item had one already."""
    unpriced: int = 0
    """Answers of models without a price: they are in no sum of money."""
    unmeasured: int = 0
    """Waiting items whose prompts have to be counted before they may be packed."""
    deadlines: Kept = NONE_YET
    problems: dict[str, int] = field(default_factory=dict)
    """Outcomes that aren't ok, by problem."""
    paused_by: str | None = None
    """Who paused it; None: Overnight, or it isn't paused."""
    paused_for_s: float = 0.0


@dataclass(frozen=True)
class BatchView:
    """One batch, as a person sees it."""

    id: int
    lane: str
    workspace: str
    state: str
    reason: str | None
    items: int
    size: int
    age_s: float
    """Since it was packed."""
    changed_s: float
    """Since its state changed."""
    resumes_s: float | None
    """Until it may be sent (again), if that is still to come."""
    open_s: float | None
    """Since the API created it."""
    took_s: float | None
    """From its creation to its end, as the API says."""
    expires_s: float | None
    """Until the API gives up what isn't answered."""
    api_id: str | None
    submissions: int
    cost_nano: int
    realtime_nano: int
    packed_at: datetime
    unpriced: int = 0
    """Answers of models without a price: they are in no sum of money."""


@dataclass(frozen=True)
class TurnaroundView:
    """How long a lane's latest batches took at Anthropic."""

    lane: str
    batches: int
    median_s: float
    slow_s: float
    """Nine of ten took no longer."""


@dataclass(frozen=True)
class DeadDelivery:
    """A delivery that was given up."""

    lane: str
    broker: str
    """'' is Overnight's own Redis; of a webhook `webhook:NAME`."""
    queue: str
    tries: int
    error: str | None


class _Tallied(NamedTuple):
    """How many items, deliveries or batches of a lane are in a state, or outcomes have a problem."""

    noun: str
    lane_id: int
    state: str
    n: int


class _Lane(NamedTuple):
    """A `LaneView` without what the tally says."""

    id: int
    name: str
    paused_at: datetime | None
    paused_reason: str | None
    paused_by: str | None
    paused_for_s: float | None
    oldest_waiting_s: float | None
    cost_nano: int
    realtime_nano: int
    paid_twice: int
    unpriced: int
    unmeasured: int


def _tallied(connection: Connection) -> dict[int, dict[str, dict[str, int]]]:
    """How many items, deliveries and batches there are: by lane, noun and state."""
    by_lane: dict[int, dict[str, dict[str, int]]] = {}
    tallied = fetch_all(
        connection,
        _Tallied,
        """
        SELECT noun, lane_id, state, sum(n)::bigint AS n FROM tally GROUP BY noun, lane_id, state HAVING sum(n) <> 0
        UNION ALL
        SELECT 'batch', lane_id, state, count(*) FROM batch GROUP BY lane_id, state
        """,
    )
    for row in tallied:
        by_lane.setdefault(row.lane_id, {}).setdefault(row.noun, {})[row.state] = row.n
    return by_lane


def lanes(connection: Connection) -> list[LaneView]:
    """Every lane that ever had an item."""
    by_lane, deadlines = _tallied(connection), kept(connection)
    rows = fetch_all(
        connection,
        _Lane,
        f"""
        SELECT lane.id, lane.name, lane.paused_at, lane.paused_reason, lane.paused_by,
               extract(epoch FROM now() - lane.paused_at)::float AS paused_for_s, (
            SELECT extract(epoch FROM now() - min({oldest("lane.id", "headers.id")}))::float FROM headers
        ) AS oldest_waiting_s,
        coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano, 0)::bigint AS realtime_nano,
        coalesce(spent.paid_twice, 0)::bigint AS paid_twice, coalesce(spent.unpriced, 0)::bigint AS unpriced,
        coalesce(uncounted.n, 0)::bigint AS unmeasured
        FROM lane LEFT JOIN (
            SELECT lane_id, sum(cost_nano) AS cost_nano, sum(realtime_nano) AS realtime_nano,
                   sum(paid_twice) AS paid_twice, sum(unpriced) AS unpriced
            FROM daily_spending GROUP BY lane_id
        ) spent ON spent.lane_id = lane.id
        LEFT JOIN (
            SELECT lane_id, count(*) AS n FROM unmeasured JOIN item ON item.id = unmeasured.item_id GROUP BY lane_id
        ) uncounted ON uncounted.lane_id = lane.id
        ORDER BY lane.name
        """,
    )
    return [_view(lane, by_lane.get(lane.id, {}), deadlines.get(lane.id, NONE_YET)) for lane in rows]


def _view(lane: _Lane, tallied: Mapping[str, dict[str, int]], deadlines: Kept) -> LaneView:
    """What a person sees of a lane; what rescuing costs apart. tallied: by what they are, how many in each state."""
    return LaneView(
        lane=lane.name,
        paused_reason=(lane.paused_reason or "paused") if lane.paused_at else None,
        items=tallied.get("item", {}),
        deliveries=tallied.get("delivery", {}),
        batches=tallied.get("batch", {}),
        oldest_waiting_s=lane.oldest_waiting_s,
        cost_nano=lane.cost_nano,
        realtime_nano=lane.realtime_nano,
        paid_twice=lane.paid_twice - deadlines.doubles,
        deadlines=deadlines,
        unpriced=lane.unpriced,
        unmeasured=lane.unmeasured,
        problems=tallied.get("problem", {}),
        paused_by=lane.paused_by,
        paused_for_s=lane.paused_for_s or 0.0,
    )


BATCH_COLUMNS: Final = f"""
    batch.id, lane.name AS lane, headers.workspace, batch.state, {said.listed_in_sql("batch.reason")} AS reason,
           batch.items, batch.size,
           batch.packed_at, extract(epoch FROM now() - batch.packed_at)::float AS age_s,
           extract(epoch FROM now() - batch.changed_at)::float AS changed_s,
           CASE WHEN batch.not_before > now() THEN extract(epoch FROM batch.not_before - now())::float END
           AS resumes_s,
           extract(epoch FROM now() - newest.api_created_at)::float AS open_s,
           extract(epoch FROM newest.ended_at - newest.api_created_at)::float AS took_s,
           extract(epoch FROM newest.api_expires_at - now())::float AS expires_s, newest.api_id,
           (SELECT count(*) FROM submission WHERE submission.batch_id = batch.id) AS submissions,
           coalesce(spent.cost_nano, 0)::bigint AS cost_nano,
           coalesce(spent.realtime_nano, 0)::bigint AS realtime_nano,
           coalesce(spent.unpriced, 0)::bigint AS unpriced
"""
BATCH_JOINS: Final = """
    JOIN lane ON lane.id = batch.lane_id JOIN headers ON headers.id = batch.headers_id
    LEFT JOIN LATERAL (
        SELECT api_id, api_created_at, api_expires_at, ended_at FROM submission
        WHERE submission.batch_id = batch.id AND api_id IS NOT NULL ORDER BY id DESC LIMIT 1
    ) newest ON true
    LEFT JOIN LATERAL (
        SELECT sum(spending.cost_nano) AS cost_nano, sum(spending.realtime_nano) AS realtime_nano,
               sum(spending.unpriced) AS unpriced
        FROM submission JOIN spending ON spending.submission_id = submission.id
        WHERE submission.batch_id = batch.id
    ) spent ON true
"""
"""A `BatchView` of the few rows that are called `batch` in FROM."""


def batches(
    connection: Connection,
    *,
    lane: str | None = None,
    states: Sequence[str] | None = None,
    limit: int = 50,
) -> list[BatchView]:
    """Batches, the unfinished first, then the newest."""
    wanted = """
        SELECT batch.* FROM batch
        WHERE (CAST(:lane AS text) IS NULL OR lane_id = (SELECT id FROM lane WHERE name = :lane))
          AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states))
    """
    return fetch_all(
        connection,
        BatchView,
        f"""
        SELECT {BATCH_COLUMNS}
        FROM (
            -- the few that are shown, before anything is looked up for them; each half by its own index
            ({wanted} AND state = ANY(:unfinished) ORDER BY id DESC LIMIT :limit)
            UNION ALL ({wanted} AND NOT state = ANY(:unfinished) ORDER BY id DESC LIMIT :limit)
        ) batch
        {BATCH_JOINS}
        ORDER BY NOT batch.state = ANY(:unfinished), batch.id DESC LIMIT :limit
        """,
        lane=lane,
        states=None if states is None else list(states),
        unfinished=list(BATCH.unfinished),
        limit=limit,
    )


def turnarounds(connection: Connection) -> list[TurnaroundView]:
    """How long the latest thousand batches took, by lane: what another may be expected to take."""
    return fetch_all(
        connection,
        TurnaroundView,
        """
        SELECT lane.name AS lane, count(*) AS batches,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY latest.took_s) AS median_s,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY latest.took_s) AS slow_s
        FROM (
            SELECT batch_id, extract(epoch FROM ended_at - api_created_at)::float AS took_s
            FROM submission WHERE ended_at IS NOT NULL AND api_created_at IS NOT NULL ORDER BY id DESC LIMIT 1000
        ) latest
        JOIN batch ON batch.id = latest.batch_id JOIN lane ON lane.id = batch.lane_id
        GROUP BY lane.name
        """,
    )


def dead_deliveries(connection: Connection, limit: int = 5) -> list[DeadDelivery]:
    """The newest deliveries that were given up, and why."""
    return fetch_all(
        connection,
        DeadDelivery,
        """
        SELECT lane.name AS lane, target.broker, target.queue, dead.tries, dead.error
        FROM (
            SELECT item_id, lane_id, target_id, tries, error FROM delivery
            WHERE state = 'dead' ORDER BY item_id DESC LIMIT :limit
        ) dead
        JOIN lane ON lane.id = dead.lane_id JOIN target ON target.id = dead.target_id ORDER BY dead.item_id DESC
        """,
        limit=limit,
    )
