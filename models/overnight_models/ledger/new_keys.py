"""Keys of new items: written once each, and whose they are when two messages have the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import psycopg

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_lines
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.rows import fetch_column, fetch_only_value

_HASHES: Final = """
    SELECT n, substring(CAST(:hashes AS bytea) FROM n * 16 - 15 FOR 16) AS key_hash FROM generate_series(1, :n) AS n
"""
"""The hashes of keys, told as one value: an array of them costs more than the insert."""


def insert_keys(connection: Connection, lane_id: int, numbered: Sequence[tuple[NewItem, int]]) -> set[int]:
    """Write the keys that are new. Returns the numbers of their items.

    By COPY where all of them are, as nearly always: an INSERT that passes over known ones writes twice the log.
    """
    # in the order of the keys, or two messages with the same keys deadlock
    ordered = sorted(numbered, key=lambda pair: pair[0].key_hash)
    if _all_are_new(connection, lane_id, ordered):
        try:
            with connection.begin_nested():
                _copy(connection, lane_id, ordered)
        except psycopg.errors.UniqueViolation:
            pass  # a message with one of these keys has been accepted meanwhile
        else:
            return {item_id for _, item_id in ordered}
    new = fetch_column(
        connection,
        int,
        f"""
        INSERT INTO item_key (lane_id, key_hash, item_id, content_hash)
        SELECT :lane_id, key_hash, (CAST(:ids AS bigint[]))[n],
               substring(CAST(:contents AS bytea) FROM n * 16 - 15 FOR 16)
        FROM ({_HASHES}) key ORDER BY n
        ON CONFLICT (lane_id, key_hash) DO NOTHING
        RETURNING item_id
        """,
        lane_id=lane_id,
        hashes=b"".join(item.key_hash for item, _ in ordered),
        ids=[item_id for _, item_id in ordered],
        contents=b"".join(item.content_hash for item, _ in ordered),
        n=len(ordered),
    )
    return set(new)


def _all_are_new(connection: Connection, lane_id: int, ordered: Sequence[tuple[NewItem, int]]) -> bool:
    """Not by a join: in a lane that statistics don't know yet Postgres would read all its keys for each message."""
    hashes = [item.key_hash for item, _ in ordered]
    return len(set(hashes)) == len(hashes) and not fetch_only_value(
        connection,
        bool,
        f"""
        SELECT EXISTS (
            SELECT FROM item_key
            WHERE lane_id = :lane_id AND key_hash = ANY(ARRAY(SELECT key_hash FROM ({_HASHES}) key))
        )
        """,
        lane_id=lane_id,
        hashes=b"".join(hashes),
        n=len(hashes),
    )


def _copy(connection: Connection, lane_id: int, ordered: Sequence[tuple[NewItem, int]]) -> None:
    lines = (
        b"%d\t\\\\x%b\t%d\t\\\\x%b\n"
        % (lane_id, item.key_hash.hex().encode(), item_id, item.content_hash.hex().encode())
        for item, item_id in ordered
    )
    copy_lines(connection, "item_key (lane_id, key_hash, item_id, content_hash)", b"".join(lines))
