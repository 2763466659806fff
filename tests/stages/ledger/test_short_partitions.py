"""How many bytes partitions have for an item: no gaps between columns, and entries of indexes that many items share."""

from __future__ import annotations

from typing import NamedTuple

from overnight_models.ledger import deployment
from overnight_models.ledger.database import Database
from overnight_models.ledger.partitions import PARTITION_ITEMS, PARTITIONED, make_partitions
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.ledger.schema import migrate

ITEMS = 20_000
_COLUMNS = """
    SELECT attname::text FROM pg_attribute
    WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_WRITTEN = """
    INSERT INTO item (id, lane_id, headers_id, model_id, state, waiting_since, batch_id, size, max_tokens)
    SELECT id, 1, 1, 1, :state, CASE :state WHEN 'waiting' THEN now() END, CASE :state WHEN 'batched' THEN 1 END, 10, 10
    FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS id
"""


class _Column(NamedTuple):
    name: str
    width: int
    """Below nothing: of a text, whose length is its own."""
    aligned: int
    """It begins at a place that this divides."""


def _gaps(columns: list[_Column]) -> list[str]:
    """The columns in front of which bytes are lost when all of them are there."""
    end, gaps = 0, []
    for column in columns:
        if column.width > 0:
            if end % column.aligned:
                gaps.append(column.name)
            end += -end % column.aligned + column.width
    return gaps


def test_no_byte_is_lost_between_the_columns_of_a_partition(database: Database) -> None:
    with database.transaction() as connection:
        for table in PARTITIONED:
            columns = fetch_all(
                connection,
                _Column,
                """
                SELECT attname::text AS name, attlen::integer AS width,
                       CASE attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS aligned
                FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 ORDER BY attnum
                """,
                table=f"{table}_from_0",
            )
            assert _gaps(columns) == []
            assert [column.width > 0 for column in columns] == sorted((c.width > 0 for c in columns), reverse=True)


def test_while_workers_may_run_that_copy_column_by_column_new_partitions_have_the_order_of_their_parent(
    fresh_database: Database,
) -> None:
    with fresh_database.transaction() as connection:
        execute(connection, "UPDATE deployment SET columns_by_width = false")
        execute(connection, f"SELECT setval('item_id', {PARTITION_ITEMS})")
        make_partitions(connection)
        deployment.begin_columns_by_width(connection)
        execute(connection, f"SELECT setval('item_id', {PARTITION_ITEMS * 2})")
        make_partitions(connection)
        for table in PARTITIONED:
            parent = fetch_column(connection, str, _COLUMNS, table=table)
            older = fetch_column(connection, str, _COLUMNS, table=f"{table}_from_{PARTITION_ITEMS * 3}")
            newer = fetch_column(connection, str, _COLUMNS, table=f"{table}_from_{PARTITION_ITEMS * 4}")
            assert older == parent
            assert sorted(newer) == sorted(parent)
            assert newer != parent or table == "double"
    migrate(fresh_database)


def test_items_that_came_together_or_are_in_one_batch_share_the_entries_of_indexes(database: Database) -> None:
    with database.transaction() as connection:
        execute(connection, _WRITTEN, state="waiting", first=1, last=ITEMS)
        execute(connection, _WRITTEN, state="batched", first=ITEMS + 1, last=ITEMS * 2)
        for index in ("item_waiting", "item_in_batch"):
            size = fetch_only_value(
                connection,
                int,
                """
                SELECT sum(pg_relation_size(inhrelid))::bigint FROM pg_inherits
                WHERE inhparent = CAST(:index AS regclass)
                """,
                index=index,
            )
            assert size < ITEMS * 12, f"{index}: {size / ITEMS} bytes an item"
