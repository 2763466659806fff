"""Redoing many: how many items an operator's wish is about, what they may cost, and group by group another try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from overnight_models.ledger import redo
from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.pack.rates import RATE, rate_values, rated, road_rates, worst
from overnight_models.ledger.rows import fetch_column, fetch_only
from overnight_models.money.prices import Prices
from overnight_models.states import ITEM


@dataclass(frozen=True)
class Wish:
    """Which of the failed and canceled are tried again; what is None doesn't matter."""

    lane: str | None = None
    run: str | None = None
    key: str | None = None
    """A key may stand in several lanes."""
    problem: str | None = None

    @property
    def is_everything(self) -> bool:
        """Nothing narrows it down."""
        return all(value is None for value in (self.lane, self.run, self.key, self.problem))

    @property
    def values(self) -> dict[str, object]:
        """What `_CHOSEN` is told."""
        hashed = None if self.key is None else key_hash(self.key)
        return {"lane": self.lane, "run": self.run, "problem": self.problem, "key_hash": hashed}


_CHOSEN = f"""
    item JOIN outcome ON outcome.item_id = item.id
    WHERE item.{ITEM.redo.where} AND NOT EXISTS (SELECT FROM follower WHERE follower.item_id = item.id)
      AND (CAST(:lane AS text) IS NULL OR item.lane_id = (SELECT id FROM lane WHERE name = :lane))
      AND (CAST(:run AS text) IS NULL OR item.run_id = (SELECT id FROM run WHERE name = :run))
      AND (CAST(:problem AS text) IS NULL OR outcome.problem = :problem)
      AND (CAST(:key_hash AS bytea) IS NULL
           OR item.id IN (SELECT item_id FROM item_key WHERE item_key.key_hash = :key_hash))
"""


class Prospect(NamedTuple):
    """What a wish is about."""

    items: int
    billed_nano: int
    """What their last tries were billed."""
    most_nano: int
    """What another try may cost at the most."""
    unpriced: int
    """Items whose model has no price: they are in no sum."""


def prospect(connection: Connection, wish: Wish, prices: Prices) -> Prospect:
    """How many items it is, and what they may cost: each by the rates of the road that it takes again."""
    roads = [_prospect(connection, wish, prices, direct=direct) for direct in (False, True)]
    return Prospect(*(sum(numbers) for numbers in zip(*roads, strict=True)))


def _prospect(connection: Connection, wish: Wish, prices: Prices, *, direct: bool) -> Prospect:
    """The same of the items that go in batches, or in real time."""
    return fetch_only(
        connection,
        Prospect,
        f"""
        WITH {RATE}, chosen AS (
            SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano FROM {_CHOSEN}
              AND (outcome.via = 'direct') = :direct
        )
        SELECT count(*) AS items, coalesce(sum(chosen.cost_nano), 0)::bigint AS billed_nano,
               coalesce(sum({worst("chosen")}), 0)::bigint AS most_nano,
               count(*) FILTER (WHERE rate.model_id IS NULL) AS unpriced
        FROM chosen LEFT JOIN rate ON {rated("chosen")}
        """,
        direct=direct,
        **wish.values,
        **rate_values(road_rates(connection, prices, batch=not direct), {}),
    )


def redo_group(connection: Connection, wish: Wish, *, after: int, until: int, limit: int) -> tuple[int, int]:
    """Try one group of them again, in the order of items.

    after: the item that the group before ended with; 0 at first.
    until: the newest item of when the wish was uttered: what fails again meanwhile isn't tried a third time.

    Returns how many, and the last one's item: there may be more while that isn't 0.
    """
    ids = fetch_column(
        connection,
        int,
        f"SELECT item.id FROM {_CHOSEN} AND item.id > :after AND item.id <= :until ORDER BY item.id LIMIT :limit",
        after=after,
        until=until,
        limit=limit,
        **wish.values,
    )
    return len(redo.redo(connection, ids)), max(ids, default=0)


def newest(connection: Connection) -> int:
    """The newest item."""
    return fetch_column(connection, int, "SELECT coalesce(max(id), 0) FROM item")[0]
