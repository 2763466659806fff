"""Batches that run while deadlines come nearer: what of them is at risk, and when it must be sent in real time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all
from overnight_models.states import BATCH, ITEM

UNDER_WAY: Final = "state IN ('packed', 'submitting', 'unclear', 'open', 'canceling')"
"""Batches whose end isn't known yet."""
_TEN_YEARS_S: Final = 10 * 366 * 86400.0


class Running(NamedTuple):
    """A batch that is under way, with items that have deadlines."""

    batch_id: int
    lane: str
    workspace: str
    state: str
    items: int
    running_s: float
    """Since the API created it; 0 while it isn't known to be there."""
    within_s: float
    """Until its earliest deadline."""


def to_look_at(connection: Connection, *, limit: int = 200) -> list[Running]:
    """Batches with deadlines that are to be looked at now, locked until the transaction ends."""
    execute(
        connection,
        f"UPDATE batch SET look_at = NULL WHERE look_at <= now() AND NOT ({UNDER_WAY})",
    )
    return fetch_all(
        connection,
        Running,
        f"""
        SELECT batch.id AS batch_id, lane.name AS lane, headers.workspace, batch.state, batch.items,
               coalesce((
                   SELECT extract(epoch FROM now() - api_created_at)::float FROM submission
                   WHERE submission.batch_id = batch.id AND submission.state = 'open'
                   ORDER BY api_created_at LIMIT 1
               ), 0) AS running_s,
               coalesce((
                   SELECT extract(epoch FROM item.deadline - now())::float FROM item
                   WHERE item.batch_id = batch.id AND item.deadline IS NOT NULL
                   ORDER BY item.deadline LIMIT 1
               ), 0) AS within_s
        FROM batch JOIN lane ON lane.id = batch.lane_id JOIN headers ON headers.id = batch.headers_id
        WHERE look_at <= now() AND batch.{UNDER_WAY}
        ORDER BY look_at LIMIT :limit FOR UPDATE OF batch SKIP LOCKED
        """,
        limit=limit,
    )


class Risk(NamedTuple):
    """A batch that may be late: for items whose deadline is nearer than this it isn't likely enough to be in time."""

    batch_id: int
    until_s: float
    """From now; at most ten years."""
    most_doubts: int
    """Of which more calls than these may have been billed isn't sent in real time again."""


class Cost(NamedTuple):
    """How long one item of a model keeps the direct road busy: by the limit that it uses most of."""

    model_id: int
    pool: str
    """Of the workspace and the models that share its limits."""
    request_s: float
    byte_s: float
    """For each byte of its request."""
    max_token_s: float
    """For each token that its answer may have."""


class AtRisk(NamedTuple):
    """What of a batch is at risk."""

    batch_id: int
    items: int
    due: int
    """To be sent in real time now, or within `ahead_s`."""
    next_s: float | None
    """Until the first of the others must be sent."""
    first: datetime
    """The earliest deadline of all of them."""


_TOLD: Final = f"""
    UPDATE item SET direct_at = started.start_at
    FROM started
    WHERE started.start_at <= now() + make_interval(secs => :ahead_s)
      AND item.id = started.id AND item.{ITEM.race.where} AND item.direct_at IS NULL
    RETURNING item.id
"""
_NOBODY_TOLD: Final = "SELECT id FROM started WHERE start_at <= now() + make_interval(secs => :ahead_s)"

_AT_RISK: Final = """
    WITH risk (batch_id, until_s, most_doubts) AS (
        SELECT * FROM unnest(CAST(:batches AS bigint[]), CAST(:untils AS float[]), CAST(:most AS integer[]))
    ),
    cost (model_id, pool, request_s, byte_s, max_token_s) AS (
        SELECT * FROM unnest(
            CAST(:models AS integer[]), CAST(:pools AS text[]), CAST(:requests_s AS float[]),
            CAST(:bytes_s AS float[]), CAST(:max_tokens_s AS float[])
        )
    ),
    late AS (
        SELECT item.id, item.batch_id, item.deadline, cost.pool,
               greatest(request_s, item.size * byte_s, item.max_tokens * max_token_s) AS cost_s
        FROM risk JOIN item ON item.batch_id = risk.batch_id JOIN cost ON cost.model_id = item.model_id
        WHERE item.state = 'batched' AND item.deadline IS NOT NULL AND NOT item.cancel_wanted
          AND (item.give_up_at IS NULL OR item.give_up_at > now())
          AND item.deadline < now() + make_interval(secs => risk.until_s)
          AND (SELECT count(*) FROM maybe_billed WHERE maybe_billed.item_id = item.id) <= risk.most_doubts
    ),
    queued AS (SELECT *, sum(cost_s) OVER (PARTITION BY pool ORDER BY deadline, id) AS until_s FROM late),
    started AS (
        SELECT id, batch_id, deadline,
               min(deadline - make_interval(secs => until_s))
                   OVER (PARTITION BY pool ORDER BY deadline DESC, id DESC)
               + make_interval(secs => until_s - cost_s - :answer_s) AS start_at
        FROM queued
    ),
    told AS ({told})
    SELECT batch_id, count(*) AS items, count(told.id) AS due,
           extract(epoch FROM min(start_at) FILTER (
               WHERE start_at > now() + make_interval(secs => :ahead_s)
           ) - now())::float AS next_s,
           min(deadline) AS first
    FROM started LEFT JOIN told USING (id) GROUP BY batch_id
"""


def at_risk(
    connection: Connection,
    risks: Sequence[Risk],
    costs: Sequence[Cost],
    *,
    answer_s: float,
    ahead_s: float,
    race: bool,
) -> list[AtRisk]:
    """When what is at risk must be sent in real time, the latest that keeps every deadline; those whose time has come.

    They leave one after the other, in the order of their deadlines, beside what waits for the road already: as
    `roads.decision.latest_starts` has it.

    answer_s: what one answer takes.
    ahead_s: who must leave within so many seconds is told now.
    race: they are told to; else it is only said how many they are.
    """
    if not risks:
        return []
    return fetch_all(
        connection,
        AtRisk,
        _AT_RISK.format(told=_TOLD if race else _NOBODY_TOLD),
        batches=[risk.batch_id for risk in risks],
        untils=[min(risk.until_s, _TEN_YEARS_S) for risk in risks],
        most=[risk.most_doubts for risk in risks],
        models=[cost.model_id for cost in costs],
        pools=[cost.pool for cost in costs],
        requests_s=[cost.request_s for cost in costs],
        bytes_s=[cost.byte_s for cost in costs],
        max_tokens_s=[cost.max_token_s for cost in costs],
        answer_s=answer_s,
        ahead_s=ahead_s,
    )


def look_again(connection: Connection, batch_id: int, in_s: float) -> None:
    """When a batch is looked at next."""
    execute(
        connection,
        "UPDATE batch SET look_at = now() + make_interval(secs => :in_s) WHERE id = :id",
        id=batch_id,
        in_s=in_s,
    )


def stop(connection: Connection, batch_id: int, reason: str) -> bool:
    """A running batch is to be canceled at the API: the next poll does it. False when it isn't running any more."""
    return (
        execute(
            connection,
            f"""
            UPDATE batch SET {BATCH.stop.set}, changed_at = now(), reason = :reason
            WHERE id = :id AND {BATCH.stop.where}
            """,
            id=batch_id,
            reason=reason,
        )
        == 1
    )
