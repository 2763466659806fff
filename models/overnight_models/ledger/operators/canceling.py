"""Canceling many: how many items an operator's wish is about, what that saves and what not, and group by group."""

from __future__ import annotations

from typing import Final, NamedTuple

from overnight_models.ledger import cancel
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.ledger.pack.rates import RATE, rate_values, rated, road_rates, worst
from overnight_models.ledger.rows import fetch_column, fetch_only
from overnight_models.money.prices import Prices
from overnight_models.states import BATCH, ITEM

_UNFINISHED: Final = ", ".join(f"'{state}'" for state in ITEM.unfinished)
_UNSENT: Final = f"""
    (item.{ITEM.cancel.where} OR item.{ITEM.unpack.where}
     AND EXISTS (SELECT FROM batch WHERE batch.id = item.batch_id AND batch.state = 'packed'))
"""
_DIRECT: Final = "(item.state IN ('direct', 'racing') OR item.direct_at IS NOT NULL)"
_INDEXED: Final = {"waiting": " AND item.waiting_since IS NOT NULL", "held": " AND item.held_by IS NOT NULL"}
"""The same as the state, by a CHECK; no index mentions a state, and these have one."""
_IN_REAL_TIME: Final = {True: _DIRECT, False: f"NOT {_DIRECT}"}


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
    """How many unfinished items it is about, and what they cost, each by the rates of its road."""
    roads = [_prospect(connection, wanted, prices, direct=direct) for direct in (False, True)]
    return Prospect(*(sum(numbers) for numbers in zip(*roads, strict=True)))


def _prospect(connection: Connection, wanted: ItemFilter, prices: Prices, *, direct: bool) -> Prospect:
    return fetch_only(
        connection,
        Prospect,
        f"""
        WITH {RATE}, chosen AS (
            SELECT item.model_id, item.size, item.max_tokens, item.state = 'following' AS is_free,
                   {_UNSENT} AS is_unsent
            FROM {wanted.source}
            WHERE {wanted.where} AND item.state IN ({_UNFINISHED}) AND NOT item.cancel_wanted
              AND {_IN_REAL_TIME[direct]}{_INDEXED.get(wanted.state or "", "")}
        ), costing AS (
            SELECT is_unsent, is_free, rate.model_id IS NULL AS is_unpriced,
                   CASE WHEN is_free THEN 0 ELSE {worst("chosen")} END AS nano
            FROM chosen LEFT JOIN rate ON {rated("chosen")}
        )
        SELECT count(*) FILTER (WHERE is_unsent) AS unsent,
               coalesce(sum(nano) FILTER (WHERE is_unsent), 0)::bigint AS unsent_nano,
               count(*) FILTER (WHERE NOT is_unsent) AS sent,
               coalesce(sum(nano) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent_nano,
               count(*) FILTER (WHERE is_unpriced AND NOT is_free) AS unpriced
        FROM costing
        """,
        **wanted.values,
        **rate_values(road_rates(connection, prices, batch=not direct), {}),
    )


def unsent(
    connection: Connection, prices: Prices, *, lane: str | None = None, workspace: str | None = None
) -> Prospect:
    """What goes when a lane, or a workspace, may send again: what waits, and what lies in batches that aren't sent.

    A lane that goes on has its rejected batches tried whole, too.
    """
    filters = [
        ItemFilter(lane=lane, workspace=workspace, state="waiting"),
        *(ItemFilter(batch_id=batch) for batch in _unsent_batches(connection, lane, workspace)),
    ]
    parts = [prospect(connection, wanted, prices) for wanted in filters]
    return Prospect(*(sum(numbers) for numbers in zip(*parts, strict=True)))


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
