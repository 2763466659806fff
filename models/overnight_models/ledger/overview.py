"""The overview: what operators look at, in `overnight status`, `overnight batches` and Flower's Batches tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping

from overnight_models.ledger.database import one, raw, run
from overnight_models.ledger.documents import COLUMNS, JOINS
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
    open_s: float | None
    """Since the API created it."""
    api_id: str | None
    submissions: int
    cost_nano: int
    packed_at: datetime


def lanes(connection: Connection) -> list[LaneView]:
    """Every lane that ever had an item."""
    by_lane: dict[int, dict[str, dict[str, int]]] = {}
    tallied = run(
        connection,
        """
        SELECT noun, lane_id, state, sum(n)::bigint AS n FROM tally GROUP BY noun, lane_id, state HAVING sum(n) <> 0
        UNION ALL
        SELECT 'batch', lane_id, state, count(*) FROM batch GROUP BY lane_id, state
        """,
    )
    for row in tallied:
        by_lane.setdefault(row["lane_id"], {}).setdefault(row["noun"], {})[row["state"]] = row["n"]
    found = run(
        connection,
        """
        SELECT lane.id, lane.name, lane.paused_at, lane.paused_reason, (
            SELECT extract(epoch FROM now() - min(oldest.waiting_since))::float
            FROM headers, LATERAL (
                SELECT waiting_since FROM item
                WHERE item.state = 'waiting' AND item.lane_id = lane.id AND item.headers_id = headers.id
                ORDER BY waiting_since LIMIT 1
            ) oldest
        ) AS oldest_waiting_s,
        coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano, 0)::bigint AS realtime_nano
        FROM lane LEFT JOIN (
            SELECT lane_id, sum(cost_nano) AS cost_nano, sum(realtime_nano) AS realtime_nano
            FROM spending GROUP BY lane_id
        ) spent ON spent.lane_id = lane.id
        ORDER BY lane.name
        """,
    )
    return [
        LaneView(
            lane=row["name"],
            paused_reason=(row["paused_reason"] or "paused") if row["paused_at"] else None,
            items=by_lane.get(row["id"], {}).get("item", {}),
            deliveries=by_lane.get(row["id"], {}).get("delivery", {}),
            batches=by_lane.get(row["id"], {}).get("batch", {}),
            oldest_waiting_s=row["oldest_waiting_s"],
            cost_nano=row["cost_nano"],
            realtime_nano=row["realtime_nano"],
        )
        for row in found
    ]


def batches(
    connection: Connection,
    *,
    lane: str | None = None,
    states: Sequence[str] | None = None,
    limit: int = 50,
) -> list[BatchView]:
    """Batches, the unfinished first, then the newest."""
    rows = run(
        connection,
        """
        SELECT batch.id, lane.name AS lane, headers.workspace, batch.state, batch.reason, batch.items, batch.size,
               batch.packed_at, extract(epoch FROM now() - batch.packed_at)::float AS age_s,
               extract(epoch FROM now() - newest.api_created_at)::float AS open_s, newest.api_id,
               (SELECT count(*) FROM submission WHERE submission.batch_id = batch.id) AS submissions,
               coalesce((
                   SELECT sum(spending.cost_nano) FROM spending
                   JOIN submission ON submission.id = spending.submission_id
                   WHERE submission.batch_id = batch.id
               ), 0)::bigint AS cost_nano
        FROM batch JOIN lane ON lane.id = batch.lane_id JOIN headers ON headers.id = batch.headers_id
        LEFT JOIN LATERAL (
            SELECT api_id, api_created_at FROM submission
            WHERE submission.batch_id = batch.id AND api_id IS NOT NULL ORDER BY id DESC LIMIT 1
        ) newest ON true
        WHERE (CAST(:lane AS text) IS NULL OR lane.name = :lane)
          AND (CAST(:states AS text[]) IS NULL OR batch.state = ANY(:states))
        ORDER BY batch.state = ANY(:finished), batch.id DESC LIMIT :limit
        """,
        lane=lane,
        states=None if states is None else list(states),
        finished=list(BATCH.final),
        limit=limit,
    )
    return [BatchView(**row) for row in rows]


def totals(connection: Connection, run_name: str | None = None) -> RowMapping:
    """Tokens and money of a run, or of everything."""
    row = one(
        connection,
        """
        SELECT count(*) AS answers, count(*) FILTER (WHERE NOT kept) AS paid_twice,
               coalesce(sum(bill.input_tokens), 0)::bigint AS input_tokens,
               coalesce(sum(bill.output_tokens), 0)::bigint AS output_tokens,
               coalesce(sum(cache_read_tokens), 0)::bigint AS cache_read_tokens,
               coalesce(sum(cache_write_5m_tokens + cache_write_1h_tokens), 0)::bigint AS cache_write_tokens,
               coalesce(sum(bill.cost_nano), 0)::bigint AS cost_nano,
               coalesce(sum(bill.realtime_nano), 0)::bigint AS realtime_nano
        FROM bill JOIN item ON item.id = bill.item_id
        WHERE CAST(:run AS text) IS NULL OR item.run_id = (SELECT id FROM run WHERE name = :run)
        """,
        run=run_name,
    )
    assert row is not None
    return row


def outcomes(
    connection: Connection,
    *,
    lane: str | None,
    key: str | None,
    run_name: str | None,
    problem: str | None,
    since: datetime | None,
    batch_id: int | None = None,
    limit: int | None = None,
) -> Iterator[Mapping[str, Any]]:
    """Items with their outcomes, from a cursor on the server: flat for any number.

    problem: only outcomes with this problem; "any" for every one that isn't ok.
    since: only what finished then or later.
    """
    conditions = {
        "lane.name = %(lane)s": lane,
        "request.key = %(key)s": key,
        "run.name = %(run)s": run_name,
        "outcome.problem = %(problem)s": None if problem == "any" else problem,
        "outcome.problem IS NOT NULL": problem,
        "outcome.finished_at >= %(since)s": since,
        "item.batch_id = %(batch_id)s": batch_id,
    }
    wanted = [condition for condition, value in conditions.items() if value is not None]
    where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
    values = {
        "lane": lane,
        "key": key,
        "run": run_name,
        "problem": problem,
        "since": since,
        "batch_id": batch_id,
        "limit": limit,
    }
    with raw(connection).cursor(name="outcomes") as cursor:
        cursor.itersize = 1000
        cursor.execute(f"SELECT {COLUMNS} FROM item {JOINS} {where} ORDER BY item.id LIMIT %(limit)s", values)
        assert cursor.description is not None
        columns = [column.name for column in cursor.description]
        for row in cursor:
            yield dict(zip(columns, row, strict=True))
