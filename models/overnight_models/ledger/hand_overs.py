"""Hand-overs: outcomes that whoever recorded them hands over at once. Such a delivery has no row of its own.

A row of `hand_over` is all of them together, with one lease. When the broker has taken all of them, it goes: what
stays is `outcome.handed_over`, and that means delivered. When anything else comes of it, or its deliverer dies, each
delivery gets a row, as it would have had from the start, and goes on by that.

**Invariant:** where a delivery has a row, the row is what counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import PARTITION_ITEMS
from overnight_models.ledger.rows import execute, fetch_column

STATES_WITHOUT_ROW: Final = ("sending", "delivered")
"""In all others a delivery has a row."""

_LAPSED_AT_ONCE: Final = 10

IN_A_HAND_OVER: Final = """
    EXISTS (SELECT FROM hand_over WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids))
"""
"""The condition: an item's outcome is being handed over, and its delivery has no row. For `item`."""

_KEPT: Final = f"""
    NOT EXISTS (SELECT FROM kept WHERE first_item = item.id - mod(item.id, {PARTITION_ITEMS})
                               AND deliveries_dropped_at IS NOT NULL)
"""
"""The condition: what deliveries came to is kept. For `item`."""

HANDED_OVER: Final = f"(outcome.handed_over AND {_KEPT})"
"""The condition: an item has a delivery, whether that has a row or not. For `item` and `outcome`."""

STATE: Final = f"""
    coalesce(delivery.state,
             CASE WHEN {HANDED_OVER} THEN CASE WHEN {IN_A_HAND_OVER} THEN 'sending' ELSE 'delivered' END END)
"""
"""The state of an item's delivery; null when it has none. For `item`, LEFT JOIN `outcome`, LEFT JOIN `delivery`."""

SHOWN: Final = f"""
    {STATE} AS delivery, delivery.error AS delivery_error,
    coalesce(delivery.tries, CASE WHEN {HANDED_OVER} THEN 1 END) AS delivery_tries,
    target.queue AS delivery_queue, target.broker AS delivery_broker
"""
"""An item's delivery, for operators: with `SHOWN_JOINS`."""
SHOWN_JOINS: Final = f"""
    LEFT JOIN delivery ON delivery.item_id = item.id
    LEFT JOIN target ON target.id = coalesce(delivery.target_id,
                                             CASE WHEN {HANDED_OVER} THEN item.target_id END)
"""
"""To follow on `documents.JOINS`."""

DELIVERED_WITHOUT_ROW: Final = f"""
    item JOIN outcome ON outcome.item_id = item.id
    WHERE {HANDED_OVER} AND NOT {IN_A_HAND_OVER}
      AND NOT EXISTS (SELECT FROM delivery WHERE delivery.item_id = item.id)
"""
"""For FROM: items whose deliveries are over, and have no row. To be followed by more conditions."""

_SIZE: Final = "(coalesce(body_size, octet_length(message), 0) + callback_size) * 21 / 20 + 1700"
"""As whoever records an outcome reckons it, for `item` and `outcome`."""


def begin(
    connection: Connection, lane_id: int, target_id: int, sizes: Mapping[int, int], *, lease_s: float
) -> int | None:
    """Begin a hand-over, in the transaction that writes the outcomes, with `handed_over`. Returns its number.

    sizes: about how many bytes their messages have, by item: at least one.
    None, while workers may run that know only rows: then each delivery needs its own.
    """
    first = min(sizes)
    begun = execute(
        connection,
        """
        WITH begun AS (
            INSERT INTO hand_over (id, last_item, lane_id, target_id, due_at, items, size, item_ids)
            SELECT :id, :last, :lane_id, :target_id, now() + make_interval(secs => :lease_s), :items, :size,
                   CAST(:ids AS bigint[])
            FROM deployment WHERE deliveries_without_rows
            RETURNING lane_id, items
        )
        INSERT INTO tally (noun, lane_id, state, n, bytes) SELECT 'delivery', lane_id, 'sending', items, 0 FROM begun
        """,
        id=first,
        last=max(sizes),
        lane_id=lane_id,
        target_id=target_id,
        lease_s=lease_s,
        items=len(sizes),
        size=sum(sizes.values()),
        ids=sorted(sizes),
    )
    return first if begun else None


def end(connection: Connection, numbers: Collection[int]) -> set[int]:
    """The broker took all of them, and nobody has to answer. Returns which of the hand-overs there still were.

    Of the others each delivery has a row by now.
    """
    ended = fetch_column(
        connection,
        int,
        """
        WITH ended AS (DELETE FROM hand_over WHERE id = ANY(:ids) RETURNING id, lane_id, items),
        counted AS (
            INSERT INTO tally (noun, lane_id, state, n, bytes)
            SELECT 'delivery', lane_id, state, CASE state WHEN 'sending' THEN -items ELSE items END, 0
            FROM ended, (VALUES ('sending'), ('delivered')) AS change (state)
        )
        SELECT id FROM ended
        """,
        ids=sorted(numbers),
    )
    return set(ended)


def give_rows(connection: Connection, numbers: Collection[int]) -> int:
    """Each delivery of these hand-overs gets its row, being sent until the lease lapses. Returns how many."""
    return execute(
        connection,
        f"""
        WITH ended AS (
            DELETE FROM hand_over WHERE id = ANY(:ids) RETURNING lane_id, target_id, due_at, items, item_ids
        ),
        counted AS (
            INSERT INTO tally (noun, lane_id, state, n, bytes) SELECT 'delivery', lane_id, 'sending', -items, 0
            FROM ended
        )
        INSERT INTO delivery (item_id, lane_id, target_id, state, size, due_at, tries)
        SELECT item.id, ended.lane_id, ended.target_id, 'sending', {_SIZE}, ended.due_at, 1
        FROM ended, unnest(ended.item_ids) AS handed (id)
        JOIN item ON item.id = handed.id JOIN outcome ON outcome.item_id = handed.id
        """,
        ids=sorted(numbers),
    )


def give_rows_to_lapsed(connection: Connection) -> int:
    """The same for those whose deliverer died. Returns how many deliveries."""
    lapsed = fetch_column(
        connection,
        int,
        "SELECT id FROM hand_over WHERE due_at <= now() ORDER BY id LIMIT :limit FOR UPDATE SKIP LOCKED",
        limit=_LAPSED_AT_ONCE,
    )
    return give_rows(connection, lapsed) if lapsed else 0


def give_rows_to_delivered(connection: Connection, item_ids: Collection[int]) -> int:
    """Deliveries that were handed over at once get rows, so that they can be sent again. Returns how many."""
    # whoever purges an item holds it until its delivery is gone, and a row that comes meanwhile would stay
    locked = fetch_column(
        connection,
        int,
        "SELECT id FROM item WHERE id = ANY(:ids) ORDER BY id FOR KEY SHARE",
        ids=sorted(item_ids),
    )
    return execute(
        connection,
        f"""
        WITH given AS (
            INSERT INTO delivery (item_id, lane_id, target_id, state, size, due_at, tries)
            SELECT item.id, item.lane_id, item.target_id, 'delivered', {_SIZE}, outcome.finished_at, 1
            FROM {DELIVERED_WITHOUT_ROW} AND item.id = ANY(:ids)
            ON CONFLICT DO NOTHING RETURNING lane_id
        )
        INSERT INTO tally (noun, lane_id, state, n, bytes)
        SELECT 'delivery', lane_id, 'delivered', -count(*), 0 FROM given GROUP BY lane_id
        """,
        ids=locked,
    )


def forget(connection: Connection, item_ids: Collection[int], table: str) -> set[int]:
    """These items have no delivery without a row any more. Returns which had. table: the outcomes, or their copy."""
    forgotten = f"UPDATE {table} SET handed_over = false WHERE item_id = ANY(:ids) AND handed_over RETURNING item_id"
    return set(fetch_column(connection, int, forgotten, ids=list(item_ids)))
