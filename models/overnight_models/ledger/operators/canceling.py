"""Canceling many: how many items an operator's wish is about, what that saves and what not, and group by group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from overnight_models.ledger import cancel
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import unfinished
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.pack.rates import RATE, Rates, rate_values, road_rates
from overnight_models.ledger.rows import fetch_column, fetch_only
from overnight_models.money.prices import Prices
from overnight_models.request.worst_case import ADDED_TOKENS
from overnight_models.states import BATCH, ITEM

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in ITEM.unfinished)
_UNSENT: Final = f"""
    (item.{ITEM.cancel.where} OR item.{ITEM.unpack.where}
     AND EXISTS (SELECT FROM batch WHERE batch.id = item.batch_id AND batch.state = 'packed'))
"""
_INDEXED: Final = {"waiting": " AND item.waiting_since IS NOT NULL", "held": " AND item.held_by IS NOT NULL"}
"""The same as the state, by a CHECK; no index mentions a state, and these have one."""
_SUMMED: Final = frozenset({"lane", "workspace", "model", "state", "batch_id"})
"""What sums know of items that are wanted."""


class Prospect(NamedTuple):
    """What a wish to cancel is about. Money is nano-dollars, at the most; items without a price are in no sum."""

    unsent: int
    """They are canceled, and never billed."""
    unsent_nano: int
    """What they would have cost."""
    sent: int
    """They may have been sent: billed and recorded, and not delivered. What is sent can't be un-bought."""
    sent_nano: int
    """What they cost all the same."""
    unpriced: int

    @property
    def items(self) -> int:
        """All of them."""
        return self.unsent + self.sent


def prospect(connection: Connection, wanted: ItemFilter, prices: Prices) -> Prospect:
    """How many unfinished items it is about, and what they cost, each by the rates of its road.

    From sums where they know what is wanted, so it costs the same for any number; else each item is read.
    """
    roads = _roads(connection, prices)
    if wanted.narrowed.keys() <= _SUMMED and _are_exact(roads):
        return _priced(connection, _of_sums(wanted.where), wanted.values, roads)
    return _priced(connection, _of_each(wanted), wanted.values, roads)


def unsent(
    connection: Connection, prices: Prices, *, lane: str | None = None, workspace: str | None = None
) -> Prospect:
    """What goes when a lane, or a workspace, may send again: what waits, and what lies in batches that aren't sent.

    A lane that goes on has its rejected batches tried whole, too.
    """
    roads, batches = _roads(connection, prices), _unsent_batches(connection, lane, workspace)
    of = ItemFilter(lane=lane, workspace=workspace)
    if _are_exact(roads):
        summed = _of_sums(f"{of.where} AND (item.state = 'waiting' OR item.batch_id = ANY(:batches))")
        return _priced(connection, summed, {**of.values, "batches": batches}, roads)
    filters = [replace(of, state="waiting"), *(ItemFilter(batch_id=batch) for batch in batches)]
    return added(_priced(connection, _of_each(part), part.values, roads) for part in filters)


def _roads(connection: Connection, prices: Prices) -> dict[bool, Rates]:
    """The rates in batches, and (True) in real time."""
    return {in_real_time: road_rates(connection, prices, batch=not in_real_time) for in_real_time in (False, True)}


def _are_exact(roads: dict[bool, Rates]) -> bool:
    return all(map(unfinished.are_exact, roads.values()))


def _of_sums(where: str) -> str:
    """The wanted items, as `_priced` takes them: a row for many."""
    return f"""
        SELECT item.model_id, item.n, item.bytes, item.max_tokens, item.in_real_time, item.up_to_tokens AS bound,
               item.state = 'following' AS is_free, {_UNSENT} AS is_unsent
        FROM unfinished_sum item WHERE {where}
    """


def _of_each(wanted: ItemFilter) -> str:
    """The same, a row for each."""
    return f"""
        SELECT item.model_id, 1 AS n, item.size::bigint AS bytes, item.max_tokens::bigint AS max_tokens,
               item.state IN ('direct', 'racing') OR item.direct_at IS NOT NULL AS in_real_time,
               item.size + {ADDED_TOKENS} AS bound, item.state = 'following' AS is_free, {_UNSENT} AS is_unsent
        FROM {wanted.source}
        WHERE {wanted.where} AND item.state IN ({_UNFINISHED}) AND NOT item.cancel_wanted
          {_INDEXED.get(wanted.state or "", "")}
    """


def _priced(connection: Connection, items: str, values: dict[str, object], roads: dict[bool, Rates]) -> Prospect:
    """What items cost, as a query has them, with its parameters."""
    return added(
        _of_road(connection, items, {**values, "in_real_time": in_real_time, **rate_values(rates, {})})
        for in_real_time, rates in roads.items()
    )


def _of_road(connection: Connection, items: str, values: dict[str, object]) -> Prospect:
    return fetch_only(
        connection,
        Prospect,
        f"""
        WITH {RATE}, costing AS (
            SELECT chosen.n, is_unsent, is_free, rate.model_id IS NULL AS is_unpriced,
                   CASE WHEN is_free THEN 0
                        ELSE (bytes + chosen.n * {ADDED_TOKENS}) * rate.input_nano + max_tokens * rate.output_nano
                   END AS nano
            FROM ({items}) chosen
            LEFT JOIN rate ON rate.model_id = chosen.model_id AND bound > rate.above AND bound <= rate.up_to
            WHERE in_real_time = :in_real_time
        )
        SELECT coalesce(sum(n) FILTER (WHERE is_unsent), 0)::bigint AS unsent,
               coalesce(sum(nano) FILTER (WHERE is_unsent), 0)::bigint AS unsent_nano,
               coalesce(sum(n) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent,
               coalesce(sum(nano) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent_nano,
               coalesce(sum(n) FILTER (WHERE is_unpriced AND NOT is_free), 0)::bigint AS unpriced
        FROM costing
        """,
        **values,
    )


def added(parts: Iterable[Prospect]) -> Prospect:
    """All of them; none are nothing."""
    return Prospect(*(sum(numbers) for numbers in zip(Prospect(0, 0, 0, 0, 0), *parts, strict=True)))


def _unsent_batches(connection: Connection, lane: str | None, workspace: str | None) -> list[int]:
    return fetch_column(
        connection,
        int,
        f"""
        SELECT batch.id FROM batch JOIN lane ON lane.id = batch.lane_id JOIN headers ON headers.id = batch.headers_id
        WHERE (batch.{BATCH.claim.where} OR batch.{BATCH.repack.where} AND CAST(:workspace AS text) IS NULL)
          AND (CAST(:lane AS text) IS NULL OR lane.name = :lane)
          AND (CAST(:workspace AS text) IS NULL OR headers.workspace = :workspace)
        """,
        lane=lane,
        workspace=workspace,
    )


def cancel_group(connection: Connection, wanted: ItemFilter, *, after: int, until: int, limit: int) -> tuple[int, int]:
    """Take one group of them back, in the order of items. Those that may have been sent are only not delivered.

    after: the item that the group before ended with; 0 at first.
    until: the newest item of when the wish was uttered.

    Returns how many it is about, and the last one's item: there may be more while that isn't 0.
    """
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT item.id FROM {wanted.source_between(":after", ":until")}
        WHERE {wanted.where} AND item.state IN ({_UNFINISHED}) AND NOT item.cancel_wanted
          AND item.id > :after AND item.id <= :until
        ORDER BY {wanted.order()} LIMIT :limit
        """,
        after=after,
        until=until,
        limit=limit,
        **wanted.values,
    )
    taken = cancel.take_back(connection, ids)
    return len(taken.canceled) + taken.too_late, max(ids, default=0)
