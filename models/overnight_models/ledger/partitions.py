"""Partitions of the big tables: made ahead of the items that will need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value

PARTITION_ITEMS: Final = 5_000_000
"""Item ids in one partition."""

PARTITIONED: Final = ("item", "request", "outcome", "double", "delivery")
"""Tables partitioned by the item's id, with a row for each item that has one."""

GROUPED: Final = ("request_group", "answer_group")
"""Those of groups of bodies: partitioned by their first item's id."""

COPIED: Final = ("request", "outcome")
"""Tables whose partitions retention copies without their bodies."""

_AHEAD: Final = 2
"""Partitions kept ready beyond the newest item."""

_WRITTEN_ONCE: Final = "WITH (autovacuum_vacuum_insert_threshold = -1)"
_STORED: Final = {
    "item": "WITH (fillfactor = 50)",
    "request": _WRITTEN_ONCE,
    "outcome": _WRITTEN_ONCE,
    "double": _WRITTEN_ONCE,
    "request_group": _WRITTEN_ONCE,
    "answer_group": _WRITTEN_ONCE,
}
"""How partitions are stored.

An item's row is changed twice in its life: with room on its page, the second time costs no index. What is never changed
is dropped whole; a vacuum after inserts would only read and write all of it once more.
"""

_ONE_AT_A_TIME: Final = 0x6F766572
"""Advisory lock: two migrations, or two makers of partitions, take turns."""


RETENTION: Final = 0x6B657074
"""Advisory lock: one process drops what is old, and none while items are purged."""


def stored_as(table: str) -> str:
    """How a partition of the table is stored, to follow on CREATE TABLE."""
    return _STORED.get(table, "")


def take_turns(connection: Connection) -> None:
    """Wait until nobody else changes the schema; until the transaction ends."""
    execute(connection, "SELECT pg_advisory_xact_lock(:lock)", lock=_ONE_AT_A_TIME)


def parted(item_ids: Iterable[int]) -> list[list[int]]:
    """Items by their partitions.

    Rows of many items are read by one statement for each: where they are of several partitions, the planner takes each
    row of a table by itself, and compares it with the list of all.
    """
    parts: defaultdict[int, list[int]] = defaultdict(list)
    for item_id in item_ids:
        parts[item_id // PARTITION_ITEMS].append(item_id)
    return list(parts.values())


def make_partitions(connection: Connection) -> int:
    """Make the partitions that the next items will need. Returns how many were made."""
    take_turns(connection)
    newest = fetch_only_value(connection, int, "SELECT last_value FROM item_id") // PARTITION_ITEMS
    made = 0
    for table in (*PARTITIONED, *GROUPED):
        there = fetch_column(
            connection,
            str,
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = CAST(:t AS regclass)",
            t=table,
        )
        for number in range(newest + _AHEAD + 1):
            first = number * PARTITION_ITEMS
            name = f"{table}_from_{first}"
            # a partition that retention has dropped is below the newest and stays away
            if name not in there and (number >= newest or not there):
                _make(connection, table, name, f"FROM ({first}) TO ({first + PARTITION_ITEMS})")
                made += 1
    return made


def _make(connection: Connection, table: str, name: str, values: str) -> None:
    """Make one partition: its columns in the order that wastes least, unless workers may run that don't know that."""
    if table not in PARTITIONED or not fetch_only_value(connection, bool, "SELECT columns_by_width FROM deployment"):
        execute(connection, f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES {values} {stored_as(table)}")
        return
    parts = fetch_column(connection, str, _BY_WIDTH, table=table)
    execute(connection, f"CREATE TABLE {name} ({', '.join(parts)}) {stored_as(table)}")
    execute(connection, f"ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES {values}")


_BY_WIDTH: Final = """
    SELECT part FROM (
        SELECT CASE WHEN attlen < 0 THEN 0 WHEN typalign = 'd' THEN 8 WHEN typalign = 'i' THEN 4
                    WHEN typalign = 's' THEN 2 ELSE 1 END AS width,
               attnum AS number,
               concat_ws(' ', quote_ident(attname), format_type(atttypid, atttypmod),
                         'DEFAULT ' || pg_get_expr(adbin, adrelid), CASE WHEN attnotnull THEN 'NOT NULL' END) AS part
        FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
        UNION ALL
        SELECT -1, 0, concat_ws(' ', 'CONSTRAINT', quote_ident(conname), pg_get_constraintdef(oid))
        FROM pg_constraint WHERE conrelid = CAST(:table AS regclass) AND contype = 'c'
    ) parts ORDER BY width DESC, number, part
"""
"""What a partition is made of: the widest columns first, texts last.

A column begins where its width divides the place, so a boolean in front of a bigint costs eight bytes.
"""


def note_full(connection: Connection) -> int:
    """Note partitions that no new item comes into any more. Returns how many are new.

    Transactions that drew their items' numbers before may still be under way: nothing of a partition goes before
    retention looks at it an hour later, when they are over.
    """
    return execute(
        connection,
        f"""
        INSERT INTO kept (first_item, looked_at)
        SELECT first, now() FROM (
            SELECT substring(inhrelid::regclass::text FROM '_from_([0-9]+)$')::bigint AS first
            FROM pg_inherits WHERE inhparent = 'item'::regclass
        ) partition
        WHERE first + {PARTITION_ITEMS} <= (SELECT last_value FROM item_id)
        ON CONFLICT DO NOTHING
        """,
    )


def give_up_copies(connection: Connection, why: str) -> None:
    """Copies of partitions that retention is making are dropped; it begins anew when it looks there again."""
    for first in fetch_column(connection, int, "SELECT first_item FROM kept WHERE copied_to IS NOT NULL"):
        for table in COPIED:
            execute(connection, f"DROP TABLE {table}_copy_{first}")
        given_up = "UPDATE kept SET copied_to = NULL, left_out = '{}', waits_for = :why WHERE first_item = :first"
        execute(connection, given_up, why=why, first=first)
