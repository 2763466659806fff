"""Items of which something is still to come: they keep everything, whatever their age."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.retention.keep import LISTS_END, MOST_CARRIED, bounds, within
from overnight_models.ledger.rows import fetch_column
from overnight_models.ledger.run_items import items_of
from overnight_models.states import DELIVERY, ITEM

_FINAL: Final = ", ".join(f"'{state}'" for state in sorted(ITEM.final))
_UNDELIVERED: Final = ", ".join(f"'{state}'" for state in DELIVERY.states if state != "delivered")
_RUNNING: Final = """
    = ANY (ARRAY(
        SELECT run.id FROM catalog_run JOIN catalog ON catalog.id = catalog_run.catalog_id
        JOIN run ON run.name = catalog.name || '-' || catalog_run.number WHERE catalog_run.ended_at IS NULL
    ))
"""


def undone(connection: Connection, span: Mapping[str, object], now: datetime) -> list[int]:
    """Items within bounds that keep everything, at most so many and one: something is still to come of them."""
    return fetch_column(
        connection,
        int,
        f"""
        SELECT id FROM item WHERE {within("id")} AND state NOT IN ({_FINAL})
        UNION SELECT item_id FROM delivery WHERE {within("item_id")} AND state IN ({_UNDELIVERED})
        UNION SELECT item_id FROM hand_over, unnest(item_ids) AS item_id WHERE {within("item_id")}
        UNION SELECT item_id FROM direct_call WHERE {within("item_id")}
        UNION SELECT item.id FROM submission JOIN item ON item.batch_id = submission.batch_id
        WHERE {within("item.id")} AND submission.state NOT IN ('void', 'done')
          AND (submission.state <> 'lost' OR submission.claimed_at > :listed_since)
        UNION SELECT of_item_id FROM follower JOIN item ON item.id = follower.item_id
        WHERE {within("of_item_id")} AND item.state = 'following'
        UNION SELECT item.id FROM {items_of(_RUNNING, first=":first", last=":until")} WHERE {within("item.id")}
        LIMIT :most
        """,
        listed_since=now - LISTS_END,
        most=MOST_CARRIED + 1,
        **span,
    )


def undelivered(connection: Connection, first: int) -> list[int]:
    """Items of a partition whose outcomes have to be delivered, or may be again; asked by the index of each state."""
    halves = " UNION ALL ".join(
        f"SELECT item_id FROM delivery WHERE {within('item_id')} AND state = '{state}'"
        for state in DELIVERY.states
        if state != "delivered"
    )
    halves += f" UNION ALL SELECT item_id FROM hand_over, unnest(item_ids) AS item_id WHERE {within('item_id')}"
    return fetch_column(connection, int, halves, **bounds(first))
