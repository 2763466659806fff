"""The list of items: page by page from the newest back, in a bounded time however many items there are.

Few filters have an index of their own: with one for each, every item would cost more to write. So the list looks at
windows of items, from the newest back, and stops when a page is full or its time is over: then it says how far it has
looked, and goes on from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger import hand_overs
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.documents import JOINS, WITHOUT_MESSAGE
from overnight_models.ledger.money.budgets import WHY_HELD
from overnight_models.ledger.operators.item_filter import OF_KEY, ItemFilter
from overnight_models.ledger.operators.item_views import ROAD, ItemView
from overnight_models.ledger.rows import fetch_all, fetch_column, fetch_only
from overnight_models.states import ITEM

WINDOW: Final = 20_000
"""Items that are looked at in one statement."""
LOOKED_S: Final = 1.0
"""How long a page is looked for. The last statement may take longer."""
_DELIVERIES_BUT_DELIVERED: Final = """
    (SELECT item_id, state FROM delivery
     UNION ALL SELECT item_id, 'sending' FROM hand_over, unnest(item_ids) AS item_id) delivery
"""
_WITH_PROBLEM: Final = """
    SELECT item_id FROM outcome WHERE problem IS NOT NULL AND item_id >= :oldest AND item_id < :before
"""
_NEWEST: Final = 2**63 - 1


@dataclass(frozen=True)
class ItemPage:
    """A page of items, the newest first."""

    items: list[ItemView]
    """Without their messages."""
    before: int | None
    """Where the next page begins; None when there is nothing older."""
    looked_at: int
    """Items that were looked at for it."""
    is_full: bool
    """It has as many as were asked for; otherwise there may be more from `before` on, unless that is None."""


class _Window(NamedTuple):
    """A part of the items, by id."""

    oldest: int | None
    """None: there is none any more."""
    n: int


def page(
    connection: Connection,
    wanted: ItemFilter,
    *,
    before: int | None = None,
    limit: int = 50,
    window: int = WINDOW,
    looked_s: float = LOOKED_S,
) -> ItemPage:
    """The newest items that are wanted and stand before an item's id.

    before: an item's id, as the page before says it; None: from the newest on.
    """
    until = time.monotonic() + looked_s
    ids: list[int] = []
    upper, looked_at = before or _NEWEST, 0
    while True:
        looked = _window(connection, wanted, upper, window)
        if looked.oldest is None:
            return ItemPage(_views(connection, ids), None, looked_at, is_full=False)
        looked_at += looked.n
        ids += _chosen(connection, wanted, looked.oldest, upper, limit + 1 - len(ids))
        if len(ids) > limit:
            return ItemPage(_views(connection, ids[:limit]), ids[limit - 1], looked_at, is_full=True)
        upper = looked.oldest
        if time.monotonic() > until:
            return ItemPage(_views(connection, ids), upper, looked_at, is_full=False)


def _window(connection: Connection, wanted: ItemFilter, before: int, limit: int) -> _Window:
    """The next window back: along an index that knows what is wanted, where there is one."""
    table, column, condition, order = "item", "id", "true", ""
    if wanted.ids is not None:
        condition = "id = ANY(:ids)"
    elif wanted.key is not None:
        table, column, condition = "item_key", "item_id", OF_KEY
    elif wanted.batch_id is not None:
        condition = "batch_id = :batch_id"
    elif wanted.run is not None:
        table, order = wanted.items(last=":before", backwards=True), wanted.order(backwards=True)
    elif wanted.delivery in ("due", "sending", "awaiting_ack", "dead"):
        table, column, condition = _DELIVERIES_BUT_DELIVERED, "item_id", "state = :delivery"
    elif _has_problem(wanted):
        table, column, condition = "outcome", "item_id", "problem IS NOT NULL"
    elif wanted.state == "held":
        condition = "held_by IS NOT NULL"
    elif wanted.state == "waiting":
        condition = "waiting_since IS NOT NULL"
    return fetch_only(
        connection,
        _Window,
        f"""
        SELECT min(id) AS oldest, count(*) AS n FROM (
            SELECT {column} AS id FROM {table} WHERE {condition} AND {column} < :before
            ORDER BY {order or f"{column} DESC"} LIMIT :window
        ) looked
        """,
        before=before,
        window=limit,
        **{name: value for name, value in wanted.values.items() if f":{name}" in table + condition},
    )


def _has_problem(wanted: ItemFilter) -> bool:
    """Whatever is wanted has an outcome with a problem. Few items have: the others aren't looked at."""
    return wanted.problem is not None or wanted.state in ITEM.final - {"succeeded"}


def _chosen(connection: Connection, wanted: ItemFilter, oldest: int, before: int, limit: int) -> list[int]:
    """The newest of a window that are wanted."""
    # of each table: from one's range the planner doesn't conclude that of another
    source = wanted.source_between(":oldest", ":before", backwards=True)
    inner = source.replace("LEFT JOIN", "")
    columns = ["item.id", *(f"{table}.item_id" for table in ("request", "delivery") if f"JOIN {table}" in inner)]
    within = " AND ".join(f"{column} >= :oldest AND {column} < :before" for column in columns)
    if _has_problem(wanted):
        within += f" AND item.id IN ({_WITH_PROBLEM})"
    return fetch_column(
        connection,
        int,
        f"""
        SELECT item.id FROM {source} WHERE {wanted.where} AND {within}
        ORDER BY {wanted.order(backwards=True)} LIMIT :limit
        """,
        oldest=oldest,
        before=before,
        limit=limit,
        **wanted.values,
    )


def _views(connection: Connection, ids: list[int]) -> list[ItemView]:
    """Items by their ids, as operators see them."""
    if not ids:
        return []
    return fetch_all(
        connection,
        ItemView,
        f"""
        SELECT {WITHOUT_MESSAGE}, {ROAD}, {WHY_HELD} AS held, {hand_overs.SHOWN}
        FROM item {JOINS} {hand_overs.SHOWN_JOINS}
        WHERE item.id = ANY(:ids) ORDER BY item.id DESC
        """,
        ids=ids,
    )


def view(connection: Connection, item_id: int) -> ItemView | None:
    """One item, as operators see it."""
    views = _views(connection, [item_id])
    return views[0] if views else None
