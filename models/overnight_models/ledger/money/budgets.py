"""Budgets: what people set, what is left, and letting go of what was held for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from overnight_models.ledger.bodies.requests import NO_BUDGET
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.money import chains
from overnight_models.ledger.pack.reserve import ALONE, BEGINS, LEFT, NO_BOUND, NO_PRICE, OVER, reserve_under_way
from overnight_models.ledger.rows import execute, fetch_all, fetch_only, fetch_only_value, fetch_value
from overnight_models.states import ITEM
from overnight_models.wire.outcome import dollars

if TYPE_CHECKING:
    from overnight_models.money.prices import Prices

Of = Literal["lane", "tenant", "run"]
Period = Literal["day", "month", "all"]

_RELEASED_AT_ONCE: Final = 100_000

_TITLE: Final = """
    coalesce('lane ' || lane.name, 'tenant ' || tenant.name, 'run ' || run.name, 'trace ' || chain.trace_id)
    || CASE period WHEN 'all' THEN ', in all' ELSE ', a ' || period END
"""
_NAMED: Final = """
    budget LEFT JOIN lane ON lane.id = budget.lane_id LEFT JOIN tenant ON tenant.id = budget.tenant_id
    LEFT JOIN run ON run.id = budget.run_id LEFT JOIN chain ON chain.id = budget.chain_id
"""


def _dollars(nano: str) -> str:
    """A sum in SQL, as a person says it, exact."""
    return f"'$' || trim_scale({nano} / 1000000000::numeric)"


WHY_HELD: Final = f"""
    CASE WHEN item.held_by = {NO_BUDGET} THEN item.held_reason WHEN item.held_by IS NOT NULL THEN (
        SELECT item.held_reason || ': ' || {_TITLE} || CASE item.held_reason WHEN '{ALONE}' THEN
            '; it needs ' || {_dollars("item.reserved_nano")} || ', the cap is ' || {_dollars("cap_nano")}
        ELSE '' END
        FROM {_NAMED} WHERE budget.id = item.held_by
    ) END
"""
"""Why an item is held, as a person says it; null for all others."""


@dataclass(frozen=True)
class BudgetView:
    """One budget in its present period."""

    id: int
    of: Of
    name: str
    period: Period
    strict: bool
    cap_nano: int
    spent_nano: int
    reserved_nano: int
    """For what is on its way, and for submissions that are believed lost."""
    held: dict[str, int]
    """Items that it holds, by why."""
    ends_s: float | None
    """Until its next period begins."""
    title: str
    """As a person says it: "lane copy, a day"."""
    alone_nano: int | None = None
    """The most that one of those may cost that are over the cap by themselves."""
    held_waits_s: float | None = None
    """For how long the item waits that it holds and that came first; None: it holds none."""

    @property
    def left_nano(self) -> int:
        """What may still be reserved; below nothing when an estimate was wrong, or the budget was lowered."""
        return self.cap_nano - self.spent_nano - self.reserved_nano

    @property
    def too_small(self) -> str | None:
        """What it can never take, and what to do about that; None when everything fits that it holds."""
        if self.alone_nano is None:
            return None
        number = self.held.get(ALONE, 0)
        who = "1 item alone needs" if number == 1 else f"{number:,} items need, each alone, up to"
        softer = ", make it estimated" if self.strict else ""
        caps = f"${dollars(self.alone_nano)}, the cap is ${dollars(self.cap_nano)}"
        return f"{who} {caps}: raise it{softer} or ask for less (max_tokens)"


class _Budget(NamedTuple):
    """A `BudgetView` without what it holds."""

    id: int
    of: Of
    name: str
    period: Period
    strict: bool
    cap_nano: int
    spent_nano: int
    reserved_nano: int
    ends_s: float | None
    title: str
    alone_nano: int | None


class _Held(NamedTuple):
    """How many items a budget holds for one reason."""

    held_by: int
    held_reason: str
    n: int
    waits_s: float
    """Of the item that came first."""


def budgets(connection: Connection) -> list[BudgetView]:
    """Every budget that somebody has set; those of chains are their lanes'."""
    rows = fetch_all(
        connection,
        _Budget,
        f"""
        SELECT budget.id, coalesce(lane.name, tenant.name, run.name) AS name, {_TITLE} AS title, period, strict,
               cap_nano,
               (
                   SELECT max(reserved_nano) FROM item
                   WHERE held_by = budget.id AND held_reason = :alone AND reserved_nano > cap_nano
               ) AS alone_nano,
               CASE WHEN run_id IS NOT NULL THEN 'run' WHEN tenant_id IS NOT NULL THEN 'tenant' ELSE 'lane' END AS of,
               coalesce(booked.spent, 0)::bigint AS spent_nano, coalesce(booked.reserved, 0)::bigint AS reserved_nano,
               CASE WHEN period <> 'all' THEN extract(
                   epoch FROM {BEGINS} + ('1 ' || period)::interval - now() AT TIME ZONE 'UTC'
               )::float END AS ends_s
        FROM {_NAMED}
        LEFT JOIN LATERAL (
            SELECT sum(spent_nano) AS spent, sum(reserved_nano) AS reserved
            FROM booking WHERE budget_id = budget.id AND begins = {BEGINS}
        ) booked ON true
        WHERE budget.chain_id IS NULL
        ORDER BY lane.name, tenant.name, run.name, period
        """,
        alone=ALONE,
    )
    held = _held(connection)
    return [
        BudgetView(
            **row._asdict(),
            held={part.held_reason: part.n for part in held.get(row.id, [])},
            held_waits_s=max((part.waits_s for part in held.get(row.id, [])), default=None),
        )
        for row in rows
    ]


def _held(connection: Connection) -> dict[int, list[_Held]]:
    """What each budget holds, by why."""
    held: dict[int, list[_Held]] = {}
    for part in fetch_all(
        connection,
        _Held,
        """
        SELECT held_by, held_reason, count(*) AS n, extract(epoch FROM now() - min(held_since))::float AS waits_s
        FROM item WHERE held_by IS NOT NULL GROUP BY held_by, held_reason
        """,
    ):
        held.setdefault(part.held_by, []).append(part)
    return held


class Needed(NamedTuple):
    """What the items need, at the most, that a budget holds."""

    nano: int
    unbounded: int
    """Items of which that isn't known: they are in no sum."""


def needed(connection: Connection, budget_id: int) -> Needed:
    """What is needed for all that a budget holds. It reads each of those items."""
    return fetch_only(
        connection,
        Needed,
        """
        SELECT coalesce(sum(reserved_nano), 0)::bigint AS nano, count(*) - count(reserved_nano) AS unbounded
        FROM item WHERE held_by = :budget_id
        """,
        budget_id=budget_id,
    )


def set_budget(
    connection: Connection,
    of: Of,
    number: int,
    period: Period,
    cap_nano: int,
    prices: Prices,
    *,
    strict: bool | None,
) -> None:
    """Set a budget, or change it. strict: None leaves what is there; a new one is strict.

    A new one counts what was billed in its period so far, and reserves for what is on its way.
    """
    changed = fetch_value(
        connection,
        int,
        f"""
        UPDATE budget SET cap_nano = :cap_nano, strict = coalesce(CAST(:strict AS boolean), strict)
        WHERE {of}_id = :number AND period = :period RETURNING id
        """,
        number=number,
        period=period,
        cap_nano=cap_nano,
        strict=strict,
    )
    if changed is not None:
        _hold_alone(connection, changed, cap_nano)
        return
    new = _add(connection, of, number, period, cap_nano, strict=strict)
    reserve_under_way(connection, new, prices)
    execute(
        connection,
        f"""
        INSERT INTO booking (budget_id, begins, spent_nano)
        SELECT budget.id, {BEGINS}, sum(spending.cost_nano)
        FROM budget JOIN spending ON spending.at >= {BEGINS} AND spending.{of}_id = :number
        WHERE budget.id = :id GROUP BY budget.id
        """,
        id=new,
        number=number,
    )


def _hold_alone(connection: Connection, budget_id: int, cap_nano: int) -> None:
    """Items that are held and don't fit under the new cap by themselves say so."""
    execute(
        connection,
        """
        UPDATE item SET held_reason = :alone
        WHERE held_by = :id AND held_reason = :over AND reserved_nano > :cap_nano
        """,
        id=budget_id,
        cap_nano=cap_nano,
        alone=ALONE,
        over=OVER,
    )


def _add(connection: Connection, of: Of, number: int, period: Period, cap_nano: int, *, strict: bool | None) -> int:
    """A new budget's id. Waits until nobody packs or records.

    Whoever packs or records has looked for budgets before it changed anything, and holds this lock in share until it
    commits: what they did is seen now, and those who come later see this budget.
    """
    execute(connection, "SET LOCAL lock_timeout = '30s'")
    execute(connection, "LOCK TABLE budget IN ACCESS EXCLUSIVE MODE")
    return fetch_only_value(
        connection,
        int,
        f"""
        INSERT INTO budget ({of}_id, period, cap_nano, strict)
        VALUES (:number, :period, :cap_nano, coalesce(CAST(:strict AS boolean), true)) RETURNING id
        """,
        number=number,
        period=period,
        cap_nano=cap_nano,
        strict=strict,
    )


def remove_budget(connection: Connection, of: Of, number: int, period: Period) -> bool:
    """There is no such budget any more; what it held waits again. Returns False when there was none."""
    removed = fetch_value(
        connection,
        int,
        f"DELETE FROM budget WHERE {of}_id = :number AND period = :period RETURNING id",
        number=number,
        period=period,
    )
    if removed is None:
        return False
    _release(connection, "true", budget_id=removed)
    return True


class _Holding(NamedTuple):
    """A budget that holds items."""

    id: int
    nano: int
    """What is left of it."""
    cap_nano: int
    strict: bool


def release_held(connection: Connection, priced: Collection[str]) -> int:
    """Let go of what budgets have room for again, the oldest first: it waits in its old place. Returns how many.

    Whoever packs looks again: what doesn't fit after all is held again.

    priced: models that have a price now.
    """
    holding = fetch_all(
        connection,
        _Holding,
        f"""
        SELECT budget.id, {LEFT} AS nano, cap_nano, strict FROM budget
        WHERE chain_id IS NULL AND EXISTS (SELECT FROM item WHERE held_by = budget.id)
        """,
    )
    released = chains.release(connection)
    for budget in holding:
        released += _release_what_there_is_room_for(connection, budget)
        released += _release_what_is_bounded_now(connection, budget, priced)
    return released


def _release_what_there_is_room_for(connection: Connection, budget: _Holding) -> int:
    """Items that were over the budget and fit into what is left of it, the oldest first."""
    return _release(
        connection,
        """
            id = ANY(ARRAY(
                SELECT id FROM (
                    SELECT id, sum(reserved_nano) OVER (ORDER BY held_since, id) AS needed
                    FROM (
                        SELECT id, held_since, reserved_nano FROM item
                        WHERE held_by = :budget_id AND held_reason = :over ORDER BY held_since, id LIMIT :limit
                    ) oldest
                ) needing WHERE needed <= :nano
            ))
            """,
        budget_id=budget.id,
        nano=budget.nano,
        over=OVER,
        limit=_RELEASED_AT_ONCE,
    )


def _release_what_is_bounded_now(connection: Connection, budget: _Holding, priced: Collection[str]) -> int:
    """Items whose worst price the budget takes by now: it isn't strict now, its cap is higher, a price is there."""
    return _release(
        connection,
        """
            (held_reason = :no_bound AND NOT :strict OR held_reason = :alone AND reserved_nano <= :cap_nano
             OR held_reason = :no_price
                AND model_id IN (SELECT id FROM model WHERE name = ANY(CAST(:priced AS text[]))))
            """,
        budget_id=budget.id,
        strict=budget.strict,
        cap_nano=budget.cap_nano,
        alone=ALONE,
        priced=list(priced),
        no_bound=NO_BOUND,
        no_price=NO_PRICE,
    )


def _release(connection: Connection, which: str, *, budget_id: int, **values: object) -> int:
    """Items that a budget holds wait again."""
    return execute(
        connection,
        f"""
        UPDATE item SET {ITEM.release.set}, waiting_since = held_since, held_by = NULL, held_since = NULL,
               held_reason = NULL
        WHERE {ITEM.release.where} AND held_by = :budget_id AND {which}
        """,
        budget_id=budget_id,
        **values,
    )
