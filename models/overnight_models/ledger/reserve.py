"""Reserving: how much room budgets have, what each item needs of it, and who has to be held.

Packing locks the budgets that its items have in the order of their ids, adds up what is booked, and takes no more than
there is room for: however many pack at once, none takes what another has taken, and none waits in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from overnight_models.ledger.database import one, run
from overnight_models.prices import Prices
from overnight_models.states import ITEM
from overnight_models.worst_case import ADDED_TOKENS, UNBOUNDED, WorstRate, worst_rates

BEGINS: Final = """
    CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END
"""
"""The first day of a budget's present period."""

LEFT: Final = f"""
    (budget.cap_nano - coalesce((
        SELECT sum(reserved_nano + spent_nano) FROM booking WHERE budget_id = budget.id AND begins = {BEGINS}
    ), 0))::bigint
"""
"""What is left of a budget in its present period; below nothing when an estimate was wrong."""

OVER: Final = "over budget"
NO_PRICE: Final = "no price"
NO_BOUND: Final = "no bound"
"""Why a budget holds an item: what each means to a person is said in `budgets.words`."""

_SCOPES: Final = ("run", "tenant", "lane")
"""In the order in which budgets say who is held: what one run may not spend is there for the others of its lane."""

_LEARNED_FROM: Final = 2000
"""Of so many of the latest answers, what is expected is learned."""
_FEWEST: Final = 30
"""With fewer answers than that, nothing is expected but the worst."""


@dataclass(frozen=True)
class Room:
    """A budget, locked, and what is left of it in this period."""

    budget_id: int
    lane_id: int | None
    tenant_id: int | None
    run_id: int | None
    strict: bool
    begins: str
    nano: int


@dataclass(frozen=True)
class Allowance:
    """What a batch may take out of budgets, until the transaction ends."""

    rooms: Sequence[Room]
    rates: Mapping[int, Sequence[WorstRate]]
    """By model; those without a price aren't in it."""
    expected: Mapping[int, float]
    """By model: what answers are expected to cost, as a share of the worst."""

    @property
    def values(self) -> dict[str, Any]:
        """What `JUDGED` and `BOOKED` are told."""
        rates = [(model_id, rate) for model_id, by_size in self.rates.items() for rate in by_size]
        return {
            "room_budgets": [room.budget_id for room in self.rooms],
            **{f"room_{of}s": [getattr(room, f"{of}_id") for room in self.rooms] for of in _SCOPES},
            "room_stricts": [room.strict for room in self.rooms],
            "room_begins": [room.begins for room in self.rooms],
            "room_nanos": [max(room.nano, 0) for room in self.rooms],
            **_rate_values(rates),
            "rate_shares": [self.expected.get(model_id, 1.0) for model_id, _ in rates],
            "unbounded": UNBOUNDED,
        }


def _rate_values(rates: Sequence[tuple[int, WorstRate]]) -> dict[str, Any]:
    return {
        "rate_models": [model_id for model_id, _ in rates],
        "rate_aboves": [rate.above_tokens for _, rate in rates],
        "rate_up_tos": [rate.up_to_tokens for _, rate in rates],
        "rate_inputs": [rate.input_nano for _, rate in rates],
        "rate_outputs": [rate.output_nano for _, rate in rates],
    }


_RATE: Final = """
    rate (model_id, above, up_to, input_nano, output_nano, share) AS (
        SELECT * FROM unnest(
            CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]), CAST(:rate_up_tos AS bigint[]),
            CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]), CAST(:rate_shares AS float[])
        )
    )
"""

_WORST: Final = f"(size + {ADDED_TOKENS}) * rate.input_nano + max_tokens::bigint * rate.output_nano"


def _rated(item: str) -> str:
    """The rate of an item: by its model, and by the bound of its prompt."""
    return f"""
        rate.model_id = {item}.model_id
        AND {item}.size + {ADDED_TOKENS} > rate.above AND {item}.size + {ADDED_TOKENS} <= rate.up_to
    """


def _tightest(of: str) -> str:
    """Of each run, tenant or lane: its budget with the least room, and whether any of them is strict."""
    return f"""
        {of}_room AS (
            SELECT DISTINCT ON ({of}_id) {of}_id, budget_id AS {of}_budget, nano AS {of}_nano,
                   bool_or(strict) OVER (PARTITION BY {of}_id) AS {of}_strict
            FROM room WHERE {of}_id IS NOT NULL ORDER BY {of}_id, nano, budget_id
        )
    """


def _fitting(of: str, given: str, fits: str) -> str:
    """The budget of the run, tenant or lane that an item would exceed, counting those before it that still fit."""
    return f"""
        fits_{of} AS (
            SELECT *, CASE WHEN sum(reserve) FILTER (WHERE {fits})
                           OVER (PARTITION BY {of}_id ORDER BY position) > {of}_nano THEN {of}_budget END AS over_{of}
            FROM {given}
        )
    """


JUDGED: Final = f"""
    room (budget_id, run_id, tenant_id, lane_id, strict, begins, nano) AS (
        SELECT * FROM unnest(
            CAST(:room_budgets AS integer[]), CAST(:room_runs AS integer[]), CAST(:room_tenants AS integer[]),
            CAST(:room_lanes AS integer[]), CAST(:room_stricts AS boolean[]), CAST(:room_begins AS date[]),
            CAST(:room_nanos AS bigint[])
        )
    ),
    unlocked AS (SELECT tenant_id, run_id FROM budget WHERE id NOT IN (SELECT budget_id FROM room)),
    {_RATE},
    {",".join(_tightest(of) for of in _SCOPES)},
    budgeted AS (
        SELECT candidate.*, run_budget, run_nano, tenant_budget, tenant_nano, lane_budget, lane_nano,
               coalesce(run_budget, tenant_budget, lane_budget) AS budget_id,
               coalesce(run_strict, false) OR coalesce(tenant_strict, false) OR coalesce(lane_strict, false) AS strict
        FROM candidate LEFT JOIN run_room USING (run_id) LEFT JOIN tenant_room USING (tenant_id)
        LEFT JOIN lane_room USING (lane_id)
        -- those whose budget isn't locked came after the look for it: the next batch takes them
        WHERE (tenant_id IS NULL OR tenant_id NOT IN (SELECT tenant_id FROM unlocked WHERE tenant_id IS NOT NULL))
          AND (run_id IS NULL OR run_id NOT IN (SELECT run_id FROM unlocked WHERE run_id IS NOT NULL))
    ),
    unbounded_prefix AS (
        SELECT id FROM prefix
        WHERE id IN (SELECT prefix_id FROM budgeted WHERE strict) AND document LIKE '%"type"%' AND document ~ :unbounded
    ),
    bounded AS (
        -- most requests have no "type" at all, and looking for that is fast
        SELECT *, strict AND (
            prefix_id IN (SELECT id FROM unbounded_prefix)
            OR (SELECT params LIKE '%"type"%' AND params ~ :unbounded FROM request WHERE item_id = budgeted.id)
        ) IS TRUE AS unbounded
        FROM budgeted
    ),
    priced AS (
        SELECT bounded.*, CASE WHEN budget_id IS NOT NULL AND NOT unbounded
            THEN ceil(({_WORST}) * CASE WHEN strict THEN 1 ELSE rate.share END)::bigint END AS reserve
        FROM bounded LEFT JOIN rate ON {_rated("bounded")}
    ),
    {_fitting("run", "priced", "true")},
    {_fitting("tenant", "fits_run", "over_run IS NULL")},
    {_fitting("lane", "fits_tenant", "over_run IS NULL AND over_tenant IS NULL")},
    judged AS (
        SELECT id, size, position, reserve,
               CASE WHEN reserve IS NULL THEN budget_id ELSE coalesce(over_run, over_tenant, over_lane) END AS held_by,
               CASE WHEN unbounded THEN '{NO_BOUND}' WHEN reserve IS NULL THEN '{NO_PRICE}' ELSE '{OVER}' END AS why
        FROM fits_lane
    )
"""


HELD: Final = f"""
    held AS (
        UPDATE item SET {ITEM["hold"].set}, waiting_since = NULL, held_since = item.waiting_since,
               held_by = judged.held_by, held_reason = judged.why, reserved_nano = judged.reserve
        FROM judged
        WHERE item.{ITEM["hold"].where} AND item.id = ANY(ARRAY(SELECT id FROM judged WHERE held_by IS NOT NULL))
          AND item.id = judged.id
        RETURNING item.id
    )
"""

BOOKED: Final = """
    booked AS (
        INSERT INTO booking (budget_id, begins, batch_id, reserved_nano)
        SELECT room.budget_id, room.begins, :batch_id, sum(part.nano)
        FROM (
            SELECT lane_id, tenant_id, run_id, sum(reserved_nano) AS nano FROM moved
            WHERE reserved_nano IS NOT NULL GROUP BY lane_id, tenant_id, run_id
        ) part
        JOIN room ON room.lane_id = part.lane_id OR room.tenant_id = part.tenant_id OR room.run_id = part.run_id
        GROUP BY room.budget_id, room.begins
    )
"""


def allowance(connection: Connection, candidates: str, prices: Prices, **values: Any) -> Allowance | None:
    """Lock the budgets that the candidates have, and look how much room there is. None when no item can have any.

    candidates: a query, with its values; all of one lane, `lane_id`.
    """
    may_have = "SELECT id FROM budget WHERE lane_id IS NULL OR lane_id = :lane_id LIMIT 1"
    if one(connection, may_have, lane_id=values["lane_id"]) is None:
        return None
    # others may stand at the same budgets, and each packs up to 100,000 items while it has them
    run(connection, "SET LOCAL lock_timeout = '90s'")
    budgets = run(
        connection,
        f"""
        WITH candidate AS ({candidates})
        SELECT budget.id FROM budget
        WHERE budget.lane_id IN (SELECT lane_id FROM candidate)
           OR budget.tenant_id IN (SELECT tenant_id FROM candidate)
           OR budget.run_id IN (SELECT run_id FROM candidate)
        ORDER BY budget.id FOR NO KEY UPDATE OF budget
        """,
        **values,
    )
    # only now: what was booked while this one waited for the lock counts
    rooms = run(
        connection,
        f"""
        SELECT id AS budget_id, lane_id, tenant_id, run_id, strict, ({BEGINS})::text AS begins, {LEFT} AS nano
        FROM budget WHERE id = ANY(:ids)
        """,
        ids=[row["id"] for row in budgets],
    )
    rates = _rates(connection, prices)
    strict = all(room["strict"] for room in rooms)
    expected = {} if strict else _expected(connection, rates, values["lane_id"])
    return Allowance([Room(**room) for room in rooms], rates, expected)


def _rates(connection: Connection, prices: Prices) -> dict[int, Sequence[WorstRate]]:
    named = {row["id"]: prices.model(row["name"]) for row in run(connection, "SELECT id, name FROM model")}
    return {model_id: worst_rates(model, batch=True) for model_id, model in named.items() if model is not None}


def _expected(connection: Connection, rates: Mapping[int, Sequence[WorstRate]], lane_id: int) -> dict[int, float]:
    """What a lane's latest answers cost as a share of the worst, plus twice that share's error; by model."""
    told = _rate_values([(model_id, rate) for model_id, by_size in rates.items() for rate in by_size])
    rows = run(
        connection,
        f"""
        WITH {_RATE}, latest AS (
            SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano
            FROM (
                SELECT id FROM batch WHERE lane_id = :lane_id AND state = 'collected' ORDER BY id DESC LIMIT 10
            ) batch
            JOIN item ON item.batch_id = batch.id JOIN outcome ON outcome.item_id = item.id
            WHERE outcome.billed AND outcome.cost_nano IS NOT NULL ORDER BY item.id DESC LIMIT :most
        ), answer AS (
            SELECT latest.model_id, latest.cost_nano::float AS cost, ({_WORST})::float AS worst
            FROM latest JOIN rate ON {_rated("latest")}
        ), learned AS (
            SELECT model_id, sum(cost) / sum(worst) AS share, count(*) AS n, avg(worst) AS worst
            FROM answer GROUP BY model_id HAVING count(*) >= :fewest
        )
        SELECT model_id, learned.share + 2 * sqrt(sum((cost - learned.share * answer.worst) ^ 2))
               / (learned.worst * sqrt(learned.n * (learned.n - 1))) AS share
        FROM learned JOIN answer USING (model_id) GROUP BY model_id, learned.share, learned.n, learned.worst
        """,
        lane_id=lane_id,
        most=_LEARNED_FROM,
        fewest=_FEWEST,
        rate_shares=[1.0] * len(told["rate_models"]),
        **told,
    )
    return {row["model_id"]: row["share"] for row in rows}
