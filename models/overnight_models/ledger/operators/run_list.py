"""Runs, page by page, with their items by state and their bill; and what was planned beside what was billed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all


class _Run(NamedTuple):
    """A run, and what is added up of it."""

    id: int
    name: str
    created_at: datetime
    cost_nano: int
    realtime_nano: int
    unpriced: int


class _Counted(NamedTuple):
    """Items of a run that are in one state."""

    run_id: int
    state: str
    n: int


@dataclass(frozen=True)
class RunView:
    """One run."""

    id: int
    name: str
    created_at: datetime
    cost_nano: int
    realtime_nano: int
    unpriced: int
    items: dict[str, int] = field(default_factory=dict)
    """By state; what was tried again counts once."""


def page(
    connection: Connection, *, prefix: str = "", before: int | None = None, limit: int = 50
) -> tuple[list[RunView], int | None]:
    """The newest runs whose names begin so and that are older; and before which the next page is, if any."""
    rows = fetch_all(
        connection,
        _Run,
        """
        WITH chosen AS (
            SELECT id, name, created_at FROM run
            WHERE starts_with(name, :prefix) AND (CAST(:before AS integer) IS NULL OR id < :before)
            ORDER BY id DESC LIMIT :limit
        ), spent AS (
            -- one pass over what was added up, and not one a run
            SELECT run_id, sum(cost_nano)::bigint AS cost_nano, sum(realtime_nano)::bigint AS realtime_nano,
                   sum(unpriced)::bigint AS unpriced
            FROM spending WHERE run_id IN (SELECT id FROM chosen) GROUP BY run_id
        )
        SELECT chosen.id, chosen.name, chosen.created_at, coalesce(cost_nano, 0) AS cost_nano,
               coalesce(realtime_nano, 0) AS realtime_nano, coalesce(unpriced, 0) AS unpriced
        FROM chosen LEFT JOIN spent ON spent.run_id = chosen.id ORDER BY chosen.id DESC
        """,
        prefix=prefix,
        before=before,
        limit=limit + 1,
    )
    shown = rows[:limit]
    items: dict[int, dict[str, int]] = {}
    for row in fetch_all(
        connection,
        _Counted,
        """
        SELECT run_id, state, sum(n)::bigint AS n FROM tally
        WHERE noun = 'item' AND run_id = ANY(:ids) AND state <> 'redone'
        GROUP BY run_id, state HAVING sum(n) > 0 ORDER BY run_id, n DESC
        """,
        ids=[run.id for run in shown],
    ):
        items.setdefault(row.run_id, {})[row.state] = row.n
    views = [RunView(**run._asdict(), items=items.get(run.id, {})) for run in shown]
    return views, shown[-1].id if len(rows) > limit else None


class PlanView(NamedTuple):
    """What a run was estimated to cost, and what it was billed."""

    run: str
    lane: str
    made_at: datetime
    items: int
    cost_nano: int
    cost_nano_low: int
    cost_nano_high: int
    billed_at: datetime | None
    billed_items: int | None
    billed_cost_nano: int | None


def planned(connection: Connection, limit: int = 20) -> list[PlanView]:
    """The newest plans."""
    return fetch_all(
        connection,
        PlanView,
        """
        SELECT run.name AS run, lane.name AS lane, made_at, items, cost_nano, cost_nano_low, cost_nano_high, billed_at,
               billed_items, billed_cost_nano
        FROM (SELECT * FROM plan ORDER BY id DESC LIMIT :limit) plan
        JOIN run ON run.id = plan.run_id JOIN lane ON lane.id = plan.lane_id ORDER BY plan.id DESC
        """,
        limit=limit,
    )
