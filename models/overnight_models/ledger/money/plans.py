"""Plans of runs, kept before anything is spent, and the bill beside them when the run is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value
from overnight_models.states import ITEM


@dataclass(frozen=True)
class Range:
    """An estimate and its interval."""

    value: int
    low: int
    high: int


@dataclass(frozen=True)
class Estimates:
    """What a run is expected to come to."""

    items: int
    tokens_in: Range
    """Cached ones included."""
    tokens_out: Range
    cost_nano: Range


@dataclass(frozen=True)
class Billed:
    """What a run came to, so far."""

    items: int
    """Answers that were billed."""
    tokens_in: int
    tokens_out: int
    cost_nano: int


@dataclass(frozen=True)
class Kept:
    """A plan that was kept."""

    run: str
    lane: str
    made_at: datetime
    estimates: Estimates
    billed: Billed
    """Zeros while nothing is billed."""
    unfinished: int
    """Items of the run that aren't final yet, so that more may be billed."""
    missing: int
    """Items that were planned and aren't in the run (yet)."""


def keep(connection: Connection, run_id: int, lane_id: int, estimates: Estimates, document: str) -> int:
    """Keep a plan; its id. document: all of it, as JSON."""
    return fetch_only_value(
        connection,
        int,
        """
        INSERT INTO plan (run_id, lane_id, items, tokens_in, tokens_in_low, tokens_in_high, tokens_out, tokens_out_low,
                          tokens_out_high, cost_nano, cost_nano_low, cost_nano_high, document)
        VALUES (:run_id, :lane_id, :items, :tokens_in, :tokens_in_low, :tokens_in_high, :tokens_out, :tokens_out_low,
                :tokens_out_high, :cost_nano, :cost_nano_low, :cost_nano_high, :document)
        RETURNING id
        """,
        run_id=run_id,
        lane_id=lane_id,
        items=estimates.items,
        document=document,
        **_flat(estimates),
    )


def settle(connection: Connection) -> int:
    """Put the bill beside each plan whose run is done: all of it is there and final. Returns how many.

    A run that never gets all of its planned items is taken for done a day after it was planned.
    """
    return execute(
        connection,
        f"""
        WITH run_of AS (
            SELECT run_id, sum(n) AS items, sum(n) FILTER (WHERE NOT state = ANY(:final)) AS unfinished
            FROM tally WHERE noun = 'item' AND run_id IN (SELECT run_id FROM plan WHERE billed_at IS NULL)
            GROUP BY run_id
        ),
        done AS (
            SELECT plan.id, plan.run_id FROM plan JOIN run_of ON run_of.run_id = plan.run_id
            WHERE billed_at IS NULL AND coalesce(run_of.unfinished, 0) = 0
              AND (run_of.items >= plan.items OR plan.made_at < now() - interval '1 day')
        ),
        bills AS ({_BILLS} WHERE run_id IN (SELECT run_id FROM done) GROUP BY run_id)
        UPDATE plan SET billed_at = now(), billed_items = bills.items, billed_tokens_in = bills.tokens_in,
               billed_tokens_out = bills.tokens_out, billed_cost_nano = bills.cost_nano
        FROM done JOIN bills ON bills.run_id = done.run_id WHERE plan.id = done.id
        """,
        final=list(ITEM.final),
    )


def kept(connection: Connection, run_name: str) -> Kept | None:
    """The newest plan of a run, with its bill so far."""
    row = fetch_one(
        connection,
        _Row,
        f"""
        SELECT {_PLANNED}, coalesce(billed_items, so_far.items, 0) AS billed_items,
               coalesce(billed_tokens_in, so_far.tokens_in, 0) AS billed_tokens_in,
               coalesce(billed_tokens_out, so_far.tokens_out, 0) AS billed_tokens_out,
               coalesce(billed_cost_nano, so_far.cost_nano, 0) AS billed_cost_nano,
               coalesce(there.items, 0)::bigint AS there, coalesce(there.unfinished, 0)::bigint AS unfinished
        FROM plan JOIN run ON run.id = plan.run_id JOIN lane ON lane.id = plan.lane_id
        LEFT JOIN LATERAL (
            {_BILLS} WHERE spending.run_id = plan.run_id AND plan.billed_at IS NULL GROUP BY spending.run_id
        ) so_far ON true
        LEFT JOIN LATERAL (
            SELECT sum(n) AS items, sum(n) FILTER (WHERE NOT state = ANY(:final)) AS unfinished
            FROM tally WHERE noun = 'item' AND tally.run_id = plan.run_id
        ) there ON true
        WHERE run.name = :run ORDER BY plan.id DESC LIMIT 1
        """,
        run=run_name,
        final=list(ITEM.final),
    )
    return None if row is None else _kept(row)


def past(connection: Connection, lane: str, *, limit: int = 5) -> Sequence[Kept]:
    """The latest plans of a lane whose runs are done, the newest first: of each run the last plan made."""
    rows = fetch_all(
        connection,
        _Row,
        f"""
        SELECT {_PLANNED}, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano, plan.items AS there,
               0 AS unfinished
        FROM (
            SELECT DISTINCT ON (run_id) * FROM plan
            WHERE billed_at IS NOT NULL AND lane_id = (SELECT id FROM lane WHERE name = :lane)
            ORDER BY run_id, id DESC
        ) plan
        JOIN run ON run.id = plan.run_id JOIN lane ON lane.id = plan.lane_id
        ORDER BY plan.billed_at DESC, plan.id DESC LIMIT :limit
        """,
        lane=lane,
        limit=limit,
    )
    return [_kept(row) for row in rows]


class PlanError(NamedTuple):
    """How far a lane's latest plans were from their bills."""

    lane: str
    ratio: float
    """Of dollars: 0.1 means that the bills were a tenth above the plans."""


_LATEST: Final = 20


def errors(connection: Connection) -> list[PlanError]:
    """Of each lane with plans that are billed: the latest twenty together."""
    return fetch_all(
        connection,
        PlanError,
        """
        SELECT lane.name AS lane, (sum(latest.billed_cost_nano) / sum(latest.cost_nano))::float - 1 AS ratio
        FROM lane CROSS JOIN LATERAL (
            SELECT billed_cost_nano, cost_nano FROM plan
            WHERE lane_id = lane.id AND billed_at IS NOT NULL ORDER BY billed_at DESC LIMIT :latest
        ) latest
        GROUP BY lane.name HAVING sum(latest.cost_nano) > 0 ORDER BY lane.name
        """,
        latest=_LATEST,
    )


_PLANNED = """
    run.name AS run, lane.name AS lane, made_at, plan.items, plan.tokens_in, tokens_in_low, tokens_in_high,
    plan.tokens_out, tokens_out_low, tokens_out_high, plan.cost_nano, cost_nano_low, cost_nano_high
"""


class _Row(NamedTuple):
    """A plan as the tables have it, with what is billed and what is there."""

    run: str
    lane: str
    made_at: datetime
    items: int
    tokens_in: int
    tokens_in_low: int
    tokens_in_high: int
    tokens_out: int
    tokens_out_low: int
    tokens_out_high: int
    cost_nano: int
    cost_nano_low: int
    cost_nano_high: int
    billed_items: int
    billed_tokens_in: int
    billed_tokens_out: int
    billed_cost_nano: int
    there: int
    unfinished: int


_BILLS = """
    SELECT run_id, sum(answers)::bigint AS items,
           sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens)::bigint AS tokens_in,
           sum(output_tokens)::bigint AS tokens_out, coalesce(sum(cost_nano), 0)::bigint AS cost_nano
    FROM spending
"""


def _flat(estimates: Estimates) -> dict[str, int]:
    flat: dict[str, int] = {}
    for name in ("tokens_in", "tokens_out", "cost_nano"):
        range_: Range = getattr(estimates, name)
        flat |= {name: range_.value, f"{name}_low": range_.low, f"{name}_high": range_.high}
    return flat


def _kept(row: _Row) -> Kept:
    return Kept(
        run=row.run,
        lane=row.lane,
        made_at=row.made_at,
        estimates=Estimates(
            items=row.items,
            tokens_in=Range(row.tokens_in, row.tokens_in_low, row.tokens_in_high),
            tokens_out=Range(row.tokens_out, row.tokens_out_low, row.tokens_out_high),
            cost_nano=Range(row.cost_nano, row.cost_nano_low, row.cost_nano_high),
        ),
        billed=Billed(row.billed_items, row.billed_tokens_in, row.billed_tokens_out, row.billed_cost_nano),
        unfinished=row.unfinished,
        missing=max(row.items - row.there, 0),
    )
