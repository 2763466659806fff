"""Costs: what was billed, exact to the nano-dollar; from sums that are kept of whatever was recorded at once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_all, fetch_only

By = Literal["lane", "tenant", "model", "run", "day"]

_KEYS: Final[dict[By, str]] = {
    "lane": "lane_id",
    "tenant": "tenant_id",
    "run": "run_id",
    "model": "model",
    "day": "(at AT TIME ZONE 'UTC')::date",
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


_SUMS: Final = ", ".join(field.name for field in fields(Costs) if field.name != "name")


def costs(connection: Connection, by: By, since: datetime | None = None, run_name: str | None = None) -> list[Costs]:
    """What was billed since then, by day in their order, else the dearest first. run_name: only in this run."""
    order = "name" if by == "day" else "cost_nano DESC, name"
    return fetch_all(
        connection,
        Costs,
        # named when they are added up: there may be a million rows of a few names
        f"""
        SELECT {_NAMES[by]} AS name, {_SUMS}
        FROM (
            SELECT {_KEYS[by]} AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
                   sum(realtime_nano)::bigint AS realtime_nano, sum(paid_twice)::bigint AS paid_twice,
                   sum(unpriced)::bigint AS unpriced,
                   coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0), 0)::bigint AS paid_twice_nano,
                   sum(input_tokens)::bigint AS input_tokens,
                   sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
                   sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
                   sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
                   sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
            FROM spending
            WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
              AND (CAST(:run_name AS text) IS NULL OR run_id = (SELECT id FROM run WHERE name = :run_name))
            GROUP BY 1
        ) added
        ORDER BY {order}
        """,
        since=since,
        run_name=run_name,
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
    counters = [field.name for field in fields(Costs) if field.name != "name"]
    return Costs("all", **{counter: sum(getattr(part, counter) for part in parts) for counter in counters})
