"""Costs: what was billed, exact to the nano-dollar; from sums that are kept of whatever was recorded at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_only

By = Literal["lane", "tenant", "model", "run", "day"]

_KEYS: Final[dict[By, str]] = {
    "lane": "lane_id",
    "tenant": "tenant_id",
    "run": "run_id",
    "model": "model",
    "day": "day",
}
_NAMES: Final[dict[By, str]] = {
    "lane": "(SELECT name FROM lane WHERE id = key)",
    "tenant": "coalesce((SELECT name FROM tenant WHERE id = key), '')",
    "run": "coalesce((SELECT name FROM run WHERE id = key), '')",
    "model": "key",
    "day": "key::text",
}


@dataclass(frozen=True)
class Costs:
    """What the answers of one lane, tenant, run, model or day cost, or those of all; by their own usage."""

    name: str
    """'' for those of no tenant, or in no run."""
    answers: int = 0
    cost_nano: int = 0
    realtime_nano: int = 0
    """What the same tokens would have cost in real time."""
    unpriced: int = 0
    """Answers of models without a price: they are in no sum of money."""
    paid_twice: int = 0
    """Answers for items that had one already."""
    paid_twice_nano: int = 0
    """What those cost; part of the cost."""
    input_tokens: int = 0
    """Not cached ones."""
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    """With those of thinking."""
    thinking_tokens: int = 0
    thinking_nano: int = 0
    """What those cost, as output tokens; part of the cost."""

    @property
    def saved_nano(self) -> int:
        """What the batches saved against real time."""
        return self.realtime_nano - self.cost_nano

    @property
    def cache_hits(self) -> float:
        """The share of the prompts' tokens that was read from the cache."""
        prompt = self.input_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens + self.cache_read_tokens
        return self.cache_read_tokens / prompt if prompt else 0.0


_COUNTERS: Final = tuple(field.name for field in fields(Costs) if field.name != "name")
_NAMED: Final = ", ".join(_COUNTERS)
_ADDED_UP: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in _COUNTERS)
_ANY: Final = " OR ".join(f"sum({name}) <> 0" for name in _COUNTERS)
_OF_A_ROW: Final = f"""
    SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model,
           CASE WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano,
           {", ".join(name for name in _COUNTERS if name != "paid_twice_nano")}
    FROM spending
"""
_OF_RUNS: Final = f"""
    {_OF_A_ROW}
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
      AND (CAST(:run_name AS text) IS NULL OR run_id = (SELECT id FROM run WHERE name = :run_name))
"""
_SINCE_DAY: Final = "(CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date"
_OF_DAYS: Final = f"""
    SELECT day, lane_id, tenant_id, model, {_NAMED} FROM daily_spending
    WHERE CAST(:since AS timestamptz) IS NULL OR day > {_SINCE_DAY}
    UNION ALL
    -- of the day in whose middle it begins
    SELECT day, lane_id, tenant_id, model, {_NAMED} FROM ({_OF_A_ROW}
        WHERE at >= CAST(:since AS timestamptz) AND at < ({_SINCE_DAY} + 1)::timestamp AT TIME ZONE 'UTC'
    ) first_day
"""


def costs(connection: Connection, by: By, since: datetime | None = None, run_name: str | None = None) -> list[Costs]:
    """What was billed since then, by day in their order, else the dearest first. run_name: only in this run.

    Of whole days, sums are read; by run and of a run, the spending.
    """
    order = "name" if by == "day" else "cost_nano DESC, name"
    named = {} if by != "run" and run_name is None else {"run_name": run_name}
    return fetch_all(
        connection,
        Costs,
        # named when they are added up: there may be a million rows of a few names
        f"""
        SELECT {_NAMES[by]} AS name, {_NAMED}
        FROM (
            SELECT {_KEYS[by]} AS key, {_ADDED_UP} FROM ({_OF_RUNS if named else _OF_DAYS}) billed
            GROUP BY 1 HAVING {_ANY}
        ) added
        ORDER BY {order}
        """,
        since=since,
        **named,
    )


_TURNS: Final = 60
"""Minutes, in each of which a part of the days before yesterday has its turn."""
_IS_DUE: Final = "day = ANY((SELECT days FROM due)::date[])"


def fold_days(connection: Connection, minute: int | None = None) -> int:
    """Add up the changes of days, as `rescue.fold_tally` does. Returns how many sums it wrote.

    Of today and yesterday; of the days before, which hardly ever change, those whose turn it is: each once an hour, so
    that years of many tenants aren't read each minute.

    minute: of the hour; None: now.
    """
    return execute(
        connection,
        f"""
        WITH today (day, minute) AS MATERIALIZED (
            SELECT (now() AT TIME ZONE 'UTC')::date,
                   coalesce(CAST(:minute AS integer), extract(minute FROM now())::integer)
        ), due (days) AS MATERIALIZED (
            SELECT array_agg(day) FROM (
                SELECT day - back AS day FROM today, generate_series(-1, 1) back
                UNION
                SELECT day - {_TURNS} * back - minute
                FROM today, generate_series(0, (day - (SELECT min(day) FROM daily_spending)) / {_TURNS}) back
            ) whose_turn_it_is
        ), changed AS MATERIALIZED (
            SELECT day, lane_id, tenant_id, model FROM daily_spending WHERE {_IS_DUE}
            GROUP BY day, lane_id, tenant_id, model
            HAVING count(*) > 1 OR NOT ({_ANY})
        ), folded AS (
            DELETE FROM daily_spending part USING changed
            -- said of the table, too: else all of it is read
            WHERE part.{_IS_DUE}
              AND part.day = changed.day AND part.lane_id = changed.lane_id AND part.model = changed.model
              AND part.tenant_id IS NOT DISTINCT FROM changed.tenant_id
            RETURNING part.*
        )
        INSERT INTO daily_spending (day, lane_id, tenant_id, model, {_NAMED})
        SELECT day, lane_id, tenant_id, model, {_ADDED_UP} FROM folded
        GROUP BY day, lane_id, tenant_id, model HAVING {_ANY}
        """,
        minute=minute,
    )


@dataclass(frozen=True)
class MaybeBilled:
    """Direct calls that got no answer: whether they were billed, nobody knows. They are in no sum."""

    calls: int = 0
    input_tokens: int = 0
    """The most that their prompts may have."""
    output_tokens: int = 0
    """The most that their answers may have."""
    at_most_nano: int = 0
    """The most that they may have cost, but for those without a bound."""
    unbounded: int = 0
    """Calls of models without a price, or with prompts that their bytes don't bound."""


def maybe_billed(connection: Connection, since: datetime | None = None, run_name: str | None = None) -> MaybeBilled:
    """What may have been billed since then without an answer. run_name: only in this run."""
    return fetch_only(
        connection,
        MaybeBilled,
        """
        SELECT count(*) AS calls, coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
               coalesce(sum(output_tokens), 0)::bigint AS output_tokens,
               coalesce(sum(cost_nano), 0)::bigint AS at_most_nano, count(*) - count(cost_nano) AS unbounded
        FROM maybe_billed
        WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
          AND (CAST(:run_name AS text) IS NULL OR run_id = (SELECT id FROM run WHERE name = :run_name))
        """,
        since=since,
        run_name=run_name,
    )


def total(parts: list[Costs]) -> Costs:
    """All of them."""
    return Costs("all", **{counter: sum(getattr(part, counter) for part in parts) for counter in _COUNTERS})
