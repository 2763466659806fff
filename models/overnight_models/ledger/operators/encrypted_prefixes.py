"""Prefixes by the keys of today: of lanes that encrypt, each has its own ones, and those are encrypted.

A lane that was told to encrypt goes on from prefixes that all lanes have in common. Its items are given rows of its
own, and what nobody goes on from any more is deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from overnight_models.ledger import prefixes
from overnight_models.ledger.bodies.encryption import MARK, Keys, seal_str
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import unused
from overnight_models.ledger.operators.purge.texts import keep_retention_away
from overnight_models.ledger.operators.stepping import Stepped, head_in_sql, is_by, keys_here
from overnight_models.ledger.operators.unused import Look
from overnight_models.ledger.prefixes import Owner
from overnight_models.ledger.rows import execute, fetch_all, fetch_column

_ROWS_AT_ONCE: Final = 200
ITEMS_AT_ONCE: Final = 20_000
"""Numbers of items that one step looks at."""


class _Counted(NamedTuple):
    lane: str
    key: str | None
    n: int


def count(connection: Connection) -> Counter[tuple[str, str | None]]:
    """How many prefixes are kept by which key, by lane and the key's id; of those that are a lane's own."""
    counted = fetch_all(
        connection,
        _Counted,
        f"""
        SELECT lane.name AS lane, CASE WHEN document LIKE '{MARK}%' THEN {head_in_sql("document")} END AS key,
               count(*) AS n
        FROM prefix JOIN lane ON lane.id = prefix.own_lane_id GROUP BY 1, 2
        """,
    )
    return Counter({(row.lane, row.key): row.n for row in counted})


def count_shared(connection: Connection, first: int, until: int) -> Counter[tuple[str, str | None]]:
    """How many prefixes of all lanes the items of a lane go on from, of these items: they aren't encrypted."""
    counted = fetch_all(
        connection,
        _Counted,
        """
        SELECT lane.name AS lane, NULL AS key, count(DISTINCT prefix_id) AS n
        FROM item JOIN prefix ON prefix.id = prefix_id AND prefix.own_lane_id = 0 JOIN lane ON lane.id = item.lane_id
        WHERE item.id >= :first AND item.id < :until GROUP BY 1
        """,
        first=first,
        until=until,
    )
    return Counter({(row.lane, None): row.n for row in counted})


class _Own(NamedTuple):
    id: int
    lane: str
    document: str


def step_own(connection: Connection, after: int) -> Stepped:
    """Write the next of those that are a lane's own as their lanes have it now. Raises NoKey."""
    keys = keys_here(connection)
    rows = fetch_all(
        connection,
        _Own,
        """
        SELECT prefix.id, lane.name AS lane, document FROM prefix JOIN lane ON lane.id = prefix.own_lane_id
        WHERE prefix.id > :after ORDER BY prefix.id LIMIT :limit
        """,
        after=after,
        limit=_ROWS_AT_ONCE,
    )
    stepped = Stepped(rows[-1].id if rows else None)
    for row in rows:
        key = keys.of_lane(row.lane)
        if is_by(row.document, key):
            continue
        try:
            document = prefixes.readable(connection, row.id, row.document)
        except DamagedGroup as error:
            stepped.leave(error)
            continue
        stepped.changed += execute(
            connection,
            "UPDATE prefix SET document = :document WHERE id = :id AND document = :old",
            document=seal_str(key, prefixes.place_of(row.id), document),
            id=row.id,
            old=row.document,
        )
    return stepped


class _Shared(NamedTuple):
    """A prefix of all lanes that items of a lane go on from."""

    lane_id: int
    lane: str
    prefix_id: int
    name: str
    document: str


def step_shared(connection: Connection, after: int, last: int) -> Stepped:
    """The next items of lanes that encrypt go on from rows of their lanes' own. Raises NoKey.

    last: the newest item there is. Whoever is about to send one looks for its prefix again.
    """
    keys = keys_here(connection)
    keep_retention_away(connection)
    until = after + ITEMS_AT_ONCE
    stepped = Stepped(until if until <= last else None)
    for shared in _shared(connection, keys, after, until):
        own = prefixes.keep_own(connection, shared.name, Owner(shared.lane_id, shared.lane), shared.document)
        ids = fetch_column(
            connection,
            int,
            """
            SELECT id FROM item WHERE id > :after AND id <= :until AND prefix_id = :shared AND lane_id = :lane_id
            ORDER BY id FOR UPDATE
            """,
            after=after,
            until=until,
            shared=shared.prefix_id,
            lane_id=shared.lane_id,
        )
        prefixes.keep_used(connection, own)
        execute(connection, "UPDATE item SET prefix_id = :own WHERE id = ANY(:ids)", own=own, ids=ids)
        stepped.changed += 1
    return stepped


def _shared(connection: Connection, keys: Keys, after: int, until: int) -> Sequence[_Shared]:
    """Those that items of lanes that encrypt go on from, which none deletes until the transaction ends."""
    rows = fetch_all(
        connection,
        _Shared,
        """
        SELECT own.lane_id, lane.name AS lane, prefix.id AS prefix_id, encode(prefix.hash, 'hex') AS name, document
        FROM (
            SELECT DISTINCT lane_id, prefix_id FROM item
            WHERE id > :after AND id <= :until AND prefix_id IS NOT NULL
        ) own
        JOIN lane ON lane.id = own.lane_id JOIN prefix ON prefix.id = own.prefix_id AND prefix.own_lane_id = 0
        ORDER BY prefix.id, own.lane_id FOR KEY SHARE OF prefix
        """,
        after=after,
        until=until,
    )
    return [row for row in rows if keys.of_lane(row.lane) is not None]


def look_for_left(connection: Connection) -> Look:
    """Begin to look for those of all lanes that a lane has as its own, and that no item may go on from any more."""
    keep_retention_away(connection)
    ids = fetch_column(
        connection,
        int,
        """
        SELECT id FROM prefix WHERE own_lane_id = 0 AND EXISTS (
            SELECT FROM prefix own WHERE own.hash = prefix.hash AND own.own_lane_id <> 0
        )
        """,
    )
    return unused.begin(connection, ids)


def delete_left(connection: Connection, look: Look) -> int:
    """Delete those that no item goes on from. look: one that is over. Returns how many."""
    keep_retention_away(connection)
    unused.lock_prefixes(connection, look.prefix_ids)
    return execute(connection, f"DELETE FROM prefix WHERE {unused.LEFT}", **unused.left_values(look))
