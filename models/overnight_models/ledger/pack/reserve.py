"""Reserving: how much room budgets have, what each item needs of it, and who has to be held.

Packing locks the budgets that its items have in the order of their ids, adds up what is booked, and takes no more than
there is room for: however many pack at once, none takes what another has taken, and none waits in a circle.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack.rates import RATE, Rates, expected, rate_values, rated, road_rates, worst
from overnight_models.ledger.pack.turns import Candidates
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.request.worst_case import UNBOUNDED
from overnight_models.states import BATCH, ITEM

if TYPE_CHECKING:
    from overnight_models.money.prices import Prices

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
ALONE: Final = "over the cap by itself"
"""It has no room and never will: alone it may cost more than the whole budget of a period."""
NO_PRICE: Final = "no price"
NO_BOUND: Final = "no bound"
"""Why a budget holds an item; without these two it can't say how much it needs."""

_SCOPES: Final = ("chain", "run", "tenant", "lane")
"""In the order in which budgets say who is held: what one run may not spend is there for the others of its lane."""


@dataclass(frozen=True)
class Room:
    """A budget, locked, and what is left of it in this period."""

    budget_id: int
    lane_id: int | None
    tenant_id: int | None
    run_id: int | None
    chain_id: int | None
    strict: bool
    begins: str
    cap_nano: int
    nano: int


@dataclass(frozen=True)
class Allowance:
    """What a batch may take out of budgets, until the transaction ends."""

    rooms: Sequence[Room]
    rates: Rates
    expected: Mapping[int, float]
    """By model: what answers are expected to cost, as a share of the worst."""

    @property
    def values(self) -> dict[str, object]:
        """The parameters of `JUDGED` and `BOOKED`."""
        return {
            "room_budgets": [room.budget_id for room in self.rooms],
            **{f"room_{of}s": [getattr(room, f"{of}_id") for room in self.rooms] for of in _SCOPES},
            "room_stricts": [room.strict for room in self.rooms],
            "room_begins": [room.begins for room in self.rooms],
            "room_caps": [room.cap_nano for room in self.rooms],
            "room_nanos": [max(room.nano, 0) for room in self.rooms],
            **rate_values(self.rates, self.expected),
            "unbounded": UNBOUNDED,
        }


def _tightest(of: str) -> str:
    """Of each run, tenant or lane: its budget with the least room, and whether any of them is strict."""
    return f"""
        {of}_room AS (
            SELECT DISTINCT ON ({of}_id) {of}_id, budget_id AS {of}_budget, cap_nano AS {of}_cap, nano AS {of}_nano,
                   bool_or(strict) OVER (PARTITION BY {of}_id) AS {of}_strict
            FROM room WHERE {of}_id IS NOT NULL ORDER BY {of}_id, nano, budget_id
        )
    """


def _fitting(of: str, given: str, fits: str) -> str:
    """The budget of the run, tenant or lane that an item would exceed, counting those before it that still fit.

    One that is over the cap by itself keeps no other from fitting.
    """
    return f"""
        fits_{of} AS (
            SELECT *, CASE WHEN reserve > {of}_cap
                             OR sum(reserve) FILTER (WHERE {fits} AND reserve <= {of}_cap)
                                OVER (PARTITION BY {of}_id ORDER BY position) > {of}_nano
                           THEN {of}_budget END AS over_{of}
            FROM {given}
        )
    """


JUDGED: Final = f"""
    room (budget_id, chain_id, run_id, tenant_id, lane_id, strict, begins, cap_nano, nano) AS (
        SELECT * FROM unnest(
            CAST(:room_budgets AS integer[]), CAST(:room_chains AS integer[]), CAST(:room_runs AS integer[]),
            CAST(:room_tenants AS integer[]), CAST(:room_lanes AS integer[]), CAST(:room_stricts AS boolean[]),
            CAST(:room_begins AS date[]), CAST(:room_caps AS bigint[]), CAST(:room_nanos AS bigint[])
        )
    ),
    unlocked AS (
        SELECT tenant_id, run_id FROM budget WHERE chain_id IS NULL AND id NOT IN (SELECT budget_id FROM room)
    ),
    {RATE},
    {",".join(_tightest(of) for of in _SCOPES)},
    budgeted AS (
        SELECT candidate.*, chain_budget, chain_cap, chain_nano, run_budget, run_cap, run_nano,
               tenant_budget, tenant_cap, tenant_nano, lane_budget, lane_cap, lane_nano,
               coalesce(chain_budget, run_budget, tenant_budget, lane_budget) AS budget_id,
               coalesce(chain_strict, false) OR coalesce(run_strict, false) OR coalesce(tenant_strict, false)
               OR coalesce(lane_strict, false) AS strict
        FROM candidate LEFT JOIN chain_room USING (chain_id) LEFT JOIN run_room USING (run_id)
        LEFT JOIN tenant_room USING (tenant_id) LEFT JOIN lane_room USING (lane_id)
        -- those whose budget isn't locked came after the look for it: the next batch takes them
        WHERE (tenant_id IS NULL OR tenant_id NOT IN (SELECT tenant_id FROM unlocked WHERE tenant_id IS NOT NULL))
          AND (run_id IS NULL OR run_id NOT IN (SELECT run_id FROM unlocked WHERE run_id IS NOT NULL))
          AND (chain_id IS NULL OR chain_id IN (SELECT chain_id FROM chain_room))
    ),
    unbounded_prefix AS (
        SELECT id FROM prefix
        WHERE id IN (SELECT prefix_id FROM budgeted WHERE strict)
          AND coalesce(prefix.unbounded, document LIKE '%"type"%' AND document ~ :unbounded)
    ),
    bounded AS (
        -- most requests have no "type" at all, and looking for that is fast
        SELECT *, strict AND (
            prefix_id IN (SELECT id FROM unbounded_prefix)
            OR (SELECT coalesce(unbounded, params LIKE '%"type"%' AND params ~ :unbounded)
                FROM request WHERE item_id = budgeted.id)
        ) IS TRUE AS unbounded
        FROM budgeted
    ),
    priced AS (
        SELECT bounded.*, CASE WHEN budget_id IS NOT NULL AND NOT unbounded
            THEN ceil(({worst("bounded")}) * CASE WHEN strict THEN 1 ELSE rate.share END)::bigint END AS reserve
        FROM bounded LEFT JOIN rate ON {rated("bounded")}
    ),
    {_fitting("chain", "priced", "true")},
    {_fitting("run", "fits_chain", "over_chain IS NULL")},
    {_fitting("tenant", "fits_run", "coalesce(over_chain, over_run) IS NULL")},
    {_fitting("lane", "fits_tenant", "coalesce(over_chain, over_run, over_tenant) IS NULL")},
    judged AS (
        SELECT id, size, position, reserve,
               CASE WHEN reserve IS NULL THEN budget_id
                    ELSE coalesce(over_chain, over_run, over_tenant, over_lane) END AS held_by,
               CASE WHEN unbounded THEN '{NO_BOUND}' WHEN reserve IS NULL THEN '{NO_PRICE}'
                    WHEN reserve > CASE WHEN over_chain IS NOT NULL THEN chain_cap
                                        WHEN over_run IS NOT NULL THEN run_cap
                                        WHEN over_tenant IS NOT NULL THEN tenant_cap ELSE lane_cap END THEN '{ALONE}'
                    ELSE '{OVER}' END AS why
        FROM fits_lane
    )
"""


HELD: Final = f"""
    held AS (
        UPDATE item SET {ITEM.hold.set}, waiting_since = NULL, held_since = item.waiting_since,
               held_by = judged.held_by, held_reason = judged.why, reserved_nano = judged.reserve
        FROM judged
        WHERE item.{ITEM.hold.where} AND item.id = ANY(ARRAY(SELECT id FROM judged WHERE held_by IS NOT NULL))
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
        UNION ALL
        SELECT room.budget_id, room.begins, :batch_id, sum(moved.reserved_nano)
        FROM moved JOIN room USING (chain_id) WHERE moved.reserved_nano IS NOT NULL
        GROUP BY room.budget_id, room.begins
    )
"""


_MAY_HAVE: Final = """
    SELECT EXISTS (SELECT FROM budget WHERE chain_id IS NULL AND (lane_id IS NULL OR lane_id = :lane_id))
        OR EXISTS (SELECT FROM chain WHERE lane_id = :lane_id)
"""


def allowance(
    connection: Connection,
    candidates: Candidates,
    prices: Prices,
    *,
    batch: bool = True,
    chain_cap_nano: int | None = None,
) -> Allowance | None:
    """Lock the budgets that the candidates have, and look how much room there is. None when no item can have any.

    batch: whether they are to be sent in a batch, or in real time.
    chain_cap_nano: what the lane says now that all items of one trace may cost together.
    """
    lane_id = candidates.lane_id
    if not fetch_only_value(connection, bool, _MAY_HAVE, lane_id=lane_id):
        return None
    budget_ids = _lock_budgets(connection, candidates, chain_cap_nano)
    # only now: what was booked while this transaction waited for the lock counts
    rooms = fetch_all(
        connection,
        Room,
        f"""
        SELECT id AS budget_id, lane_id, tenant_id, run_id, chain_id, strict, ({BEGINS})::text AS begins, cap_nano,
               {LEFT} AS nano
        FROM budget WHERE id = ANY(:ids)
        """,
        ids=budget_ids,
    )
    rates = road_rates(connection, prices, batch=batch)
    strict = all(room.strict for room in rooms)
    shares = {} if strict else expected(connection, rates, lane_id)
    return Allowance(rooms, rates, shares)


def _lock_budgets(connection: Connection, candidates: Candidates, chain_cap_nano: int | None) -> Sequence[int]:
    """The ids of the budgets that the candidates have; those of chains have the cap that their lane has now."""
    # others may stand at the same budgets, and each packs up to 100,000 items while it has them
    execute(connection, "SET LOCAL lock_timeout = '90s'")
    budget_ids = fetch_column(
        connection,
        int,
        f"""
        WITH candidate AS ({candidates.query})
        SELECT id FROM budget WHERE id = ANY(ARRAY(
            SELECT id FROM budget
            WHERE chain_id IS NULL AND (
                lane_id IN (SELECT lane_id FROM candidate) OR tenant_id IN (SELECT tenant_id FROM candidate)
                OR run_id IN (SELECT run_id FROM candidate)
            )
            UNION ALL
            SELECT budget.id FROM (SELECT DISTINCT chain_id FROM candidate) own JOIN budget USING (chain_id)
        ))
        ORDER BY id FOR NO KEY UPDATE
        """,
        **candidates.values,
    )
    if chain_cap_nano is not None:
        execute(
            connection,
            "UPDATE budget SET cap_nano = :cap WHERE id = ANY(:ids) AND chain_id IS NOT NULL AND cap_nano <> :cap",
            cap=chain_cap_nano,
            ids=budget_ids,
        )
    return budget_ids


_UNDER_WAY: Final = """
    budget.id = :budget_id AND batch.state = ANY(:unfinished) AND item.batch_id = batch.id AND item.state = 'batched'
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id)
"""


def reserve_under_way(connection: Connection, budget_id: int, prices: Prices) -> None:
    """A budget is new: what is on its way already is reserved in its present period, the most that it may cost.

    What another budget has reserved for an item is taken as it is; without a price nothing can be. Where a submission
    of a batch is believed lost, as much is reserved once more, as for one that gets lost later.

    Called while nobody packs or records: see `budgets.set_budget`.
    """
    values: dict[str, object] = {"budget_id": budget_id, "unfinished": list(BATCH.unfinished)}
    execute(
        connection,
        f"""
        WITH {RATE}
        UPDATE item SET reserved_nano = {worst("item")}
        FROM batch, budget, rate
        WHERE {_UNDER_WAY} AND item.reserved_nano IS NULL AND {rated("item")}
        """,
        **values,
        **rate_values(road_rates(connection, prices, batch=True), {}),
    )
    execute(
        connection,
        f"""
        WITH may_be_billed AS (
            SELECT id AS batch_id, NULL AS submission_id FROM batch WHERE state = ANY(:unfinished)
            UNION ALL SELECT batch_id, id FROM submission WHERE state = 'lost'
        )
        INSERT INTO booking (budget_id, begins, batch_id, submission_id, reserved_nano)
        SELECT budget.id, {BEGINS}, batch.id, submission_id, coalesce(sum(item.reserved_nano), 0)
        FROM budget, batch JOIN may_be_billed ON may_be_billed.batch_id = batch.id, item
        WHERE {_UNDER_WAY} GROUP BY budget.id, batch.id, submission_id
        """,
        **values,
    )
    _reserve_calls(connection, budget_id, prices)


_BEING_SENT: Final = """
    budget.id = :budget_id AND item.id = direct_call.item_id
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id)
"""


def _reserve_calls(connection: Connection, budget_id: int, prices: Prices) -> None:
    """The same for what is being sent in real time."""
    execute(
        connection,
        f"""
        WITH {RATE}
        UPDATE direct_call SET reserved_nano = {worst("item")}
        FROM item, budget, rate
        WHERE {_BEING_SENT} AND direct_call.reserved_nano IS NULL AND {rated("item")}
        """,
        budget_id=budget_id,
        **rate_values(road_rates(connection, prices, batch=False), {}),
    )
    execute(
        connection,
        f"""
        INSERT INTO booking (budget_id, begins, batch_id, reserved_nano)
        SELECT budget.id, {BEGINS}, direct_claim.batch_number, coalesce(sum(direct_call.reserved_nano), 0)
        FROM budget, item, direct_call JOIN direct_claim ON direct_claim.id = direct_call.claim_id
        WHERE {_BEING_SENT} GROUP BY budget.id, direct_claim.batch_number
        """,
        budget_id=budget_id,
    )
