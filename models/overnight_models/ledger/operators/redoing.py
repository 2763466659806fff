"""Redoing many: how many items an operator's wish is about, what they may cost, and group by group another try."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from overnight_models.ledger import redo
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.pack.rates import RATE, rate_values, rated, road_rates, worst
from overnight_models.ledger.rows import fetch_column, fetch_only
from overnight_models.money.prices import Prices
from overnight_models.states import ITEM


def _chosen(wanted: ItemFilter, first: str = "", last: str = "") -> str:
    """For FROM. first, last: see `ItemFilter.source_between`."""
    # of the run the items come; what else is wanted, if anything, is asked of each of them
    beside = replace(wanted, run=None)
    is_so = f"AND item.id IN (SELECT item.id FROM {beside.source} WHERE {beside.where})" if beside.narrowed else ""
    return f"""
        {wanted.items(first, last)} JOIN whole_outcome AS outcome ON outcome.item_id = item.id
        WHERE item.{ITEM.redo.where} AND outcome.problem IS NOT NULL
          AND NOT EXISTS (SELECT FROM follower WHERE follower.item_id = item.id)
          AND NOT EXISTS (SELECT FROM request WHERE request.item_id = item.id AND params = '{redo.NO_BODY}')
          {is_so}
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


def prospect(connection: Connection, wanted: ItemFilter, prices: Prices) -> Prospect:
    """How many items it is, and what they may cost: each by the rates of the road that it takes again."""
    roads = [_prospect(connection, wanted, prices, direct=direct) for direct in (False, True)]
    return Prospect(*(sum(numbers) for numbers in zip(*roads, strict=True)))


def _prospect(connection: Connection, wanted: ItemFilter, prices: Prices, *, direct: bool) -> Prospect:
    """The same of the items that go in batches, or in real time."""
    return fetch_only(
        connection,
        Prospect,
        f"""
        WITH {RATE}, chosen AS (
            SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano FROM {_chosen(wanted)}
              AND (outcome.via = 'direct') = :direct
        )
        SELECT count(*) AS items, coalesce(sum(chosen.cost_nano), 0)::bigint AS billed_nano,
               coalesce(sum({worst("chosen")}), 0)::bigint AS most_nano,
               count(*) FILTER (WHERE rate.model_id IS NULL) AS unpriced
        FROM chosen LEFT JOIN rate ON {rated("chosen")}
        """,
        direct=direct,
        **wanted.values,
        **rate_values(road_rates(connection, prices, batch=not direct), {}),
    )


def redo_group(connection: Connection, wanted: ItemFilter, *, after: int, until: int, limit: int) -> tuple[int, int]:
    """Try one group of them again, in the order of items.

    after: the item that the group before ended with; 0 at first.
    until: the newest item of when the wish was uttered: what fails again meanwhile isn't tried a third time.

    Returns how many, and the last one's item: there may be more while that isn't 0.
    """
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT item.id FROM {_chosen(wanted, ":after", ":until")} AND item.id > :after AND item.id <= :until
        ORDER BY {wanted.order()} LIMIT :limit
        """,
        after=after,
        until=until,
        limit=limit,
        **wanted.values,
    )
    return len(redo.redo(connection, ids)), max(ids, default=0)
