"""Keys go long after their items: until then the same request isn't bought twice."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.retention.keep import VIEW, Keeps, KeptView, bounds, within
from overnight_models.ledger.rows import execute, fetch_one, fetch_only_value

_KEY_PAGES: Final = 5_000
"""Pages of the keys' table that are looked through at once."""


def drop_keys(connection: Connection, keeps: Keeps, now: datetime) -> str | None:
    """The next part of the keys whose items went long enough ago. From then on the same key is another item."""
    lanes = {lane: keep.keys for lane, keep in keeps.items() if keep.keys is not None}
    if not lanes:
        return None
    view = fetch_one(
        connection,
        KeptView,
        f"""
        SELECT {VIEW} FROM kept
        WHERE outcomes_dropped_at IS NOT NULL AND keys_dropped_at IS NULL AND finished_before < :before
        ORDER BY first_item LIMIT 1
        """,
        before=now - timedelta(seconds=max(lanes.values())),
    )
    if view is None:
        return None
    page = view.keys_looked_to or 0
    pages = fetch_only_value(
        connection, int, "SELECT (pg_relation_size('item_key') / current_setting('block_size')::bigint)::bigint"
    )
    dropped = _drop(connection, view.first_item, page, list(lanes))
    is_over = page + _KEY_PAGES > pages
    execute(
        connection,
        """
        UPDATE kept SET keys_looked_to = :page, keys_dropped_at = CASE WHEN :is_over THEN CAST(:now AS timestamptz) END
        WHERE first_item = :first
        """,
        page=page + _KEY_PAGES,
        is_over=is_over,
        now=now,
        first=view.first_item,
    )
    return f"partition {view.first_item}: {dropped:,} of its keys are dropped"


def _drop(connection: Connection, first_item: int, page: int, lanes: list[int]) -> int:
    """Keys of a partition's items, in a part of their table; how many."""
    return execute(
        connection,
        f"""
        DELETE FROM item_key
        WHERE ctid >= '({page},0)' AND ctid < '({page + _KEY_PAGES},0)' AND {within("item_id")}
          AND lane_id = ANY(:lanes) AND NOT EXISTS (SELECT FROM item WHERE item.id = item_key.item_id)
        """,
        lanes=lanes,
        **bounds(first_item),
    )
