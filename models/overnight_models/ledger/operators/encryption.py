"""Which keys are needed for what is kept, and everything encrypted anew, as lanes have it now.

That is wanted after a key was replaced, or a lane was told to encrypt, or not to any more. Each value is read, written
by its lane's key of today, and changed only if it is still what was read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple
from uuid import UUID

from overnight_models.ledger.bodies.encryption import (
    MAGIC,
    MARK,
    id_in,
    is_sealed,
    key_id,
    seal_str,
    unseal_text,
)
from overnight_models.ledger.bodies.groups import GroupTable, packed_bytes, read_packed
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import fetch_binary
from overnight_models.ledger.operators import encrypted_prefixes
from overnight_models.ledger.operators.purge.texts import keep_retention_away, with_copies
from overnight_models.ledger.operators.stepping import Stepped, is_by, keys_here
from overnight_models.ledger.redo import NO_BODY
from overnight_models.ledger.rows import execute, fetch_all, fetch_only_value
from overnight_models.request.worst_case import holds_no_text

_GROUPS_AT_ONCE: Final = 50
_ROWS_AT_ONCE: Final = 2_000
WINDOW: Final = 500_000
"""Numbers of items that one count looks at."""


class Column(NamedTuple):
    """A column of texts that may be encrypted."""

    table: str
    name: str
    place: str
    """What its values are bound to: this, and the item, or its receipt."""


COLUMNS: Final = (
    Column("request", "params", "request"),
    Column("request", "callback", "callback"),
    Column("outcome", "message", "answer"),
    Column("outcome", "detail", "detail"),
)
GROUPS: Final[tuple[GroupTable, ...]] = ("request_group", "answer_group")


class Counted(NamedTuple):
    """Values of a lane that are kept by one key."""

    lane: str
    key: str | None
    """Its id in hex; None: they aren't encrypted."""
    n: int


def count(connection: Connection, first: int) -> Counter[tuple[str, str | None]]:
    """How many values are kept by which key, by lane and the key's id, of the items from this number on in a window."""
    values: Counter[tuple[str, str | None]] = Counter()
    window = {"first": first, "until": first + WINDOW}
    of_groups = [(table, "id", "packed", f"substring(packed FOR 4) = '\\x{MAGIC.hex()}'", "packed") for table in GROUPS]
    of_texts = [
        (
            column.table,
            "item_id",
            column.name,
            f"{column.name} LIKE '{MARK}%'",
            f"decode(substring({column.name} FROM {len(MARK) + 1} FOR 16), 'base64')",
        )
        for column in COLUMNS
    ]
    for table, number, name, is_encrypted, head in (*of_groups, *of_texts):
        counted = fetch_all(
            connection,
            Counted,
            f"""
            SELECT lane.name AS lane, CASE WHEN {is_encrypted} THEN encode(substring({head} FROM 5 FOR 8), 'hex') END
                   AS key, count(*) AS n
            FROM {table} JOIN item ON item.id = {table}.{number} JOIN lane ON lane.id = item.lane_id
            WHERE {table}.{number} >= :first AND {table}.{number} < :until AND {name} IS NOT NULL
              {"" if name != "params" else f"AND params <> '{NO_BODY}'"}
            GROUP BY 1, 2
            """,
            **window,
        )
        values.update({(row.lane, row.key): row.n for row in counted})
    values.update(encrypted_prefixes.count_shared(connection, **window))
    return values


def last_item(connection: Connection) -> int:
    """The newest number of an item."""
    return fetch_only_value(connection, int, "SELECT last_value FROM item_id")


class _Group(NamedTuple):
    id: int
    lane: str
    head: bytes


class _Packed(NamedTuple):
    packed: bytes


def step_groups(connection: Connection, table: GroupTable, after: int) -> Stepped:
    """Write the next groups as their lanes have it now. Raises NoKey where a lane has no key to write by."""
    keys = keys_here(connection)
    keep_retention_away(connection)
    rows = fetch_binary(
        connection,
        _Group,
        f"SELECT {table}.id, lane.name AS lane, substring(packed FOR 12) AS head FROM {table}"
        f" JOIN item ON item.id = {table}.id JOIN lane ON lane.id = item.lane_id"
        f" WHERE {table}.id > %s ORDER BY {table}.id LIMIT {_GROUPS_AT_ONCE}",
        [after],
    )
    stepped = Stepped(rows[-1].id if rows else None)
    for row in rows:
        key = keys.of_lane(row.lane)
        if (id_in(row.head) if is_sealed(row.head) else None) == (None if key is None else key_id(key)):
            continue
        # whoever purges writes groups anew, too
        locked = fetch_binary(connection, _Packed, f"SELECT packed FROM {table} WHERE id = %s FOR UPDATE", [row.id])
        try:
            for packed in locked:
                bodies = list(read_packed(connection, table, row.id, bytes(packed.packed)))
                written = packed_bytes(table, row.id, bodies, key)
                update = f"UPDATE {table} SET packed = :packed WHERE id = :id"
                stepped.changed += execute(connection, update, packed=written, id=row.id)
        except DamagedGroup as error:
            stepped.leave(error)
    return stepped


class _Row(NamedTuple):
    item_id: int
    receipt: UUID
    lane: str
    text: str | None


def step_texts(connection: Connection, column: Column, after: int) -> Stepped:
    """The same of texts in rows."""
    keys = keys_here(connection)
    keep_retention_away(connection)
    rows = fetch_all(
        connection,
        _Row,
        f"""
        SELECT own.item_id, request.receipt, lane.name AS lane, own.{column.name} AS text
        FROM {column.table} own JOIN item ON item.id = own.item_id JOIN request ON request.item_id = own.item_id
        JOIN lane ON lane.id = item.lane_id
        WHERE own.item_id > :after ORDER BY own.item_id LIMIT {_ROWS_AT_ONCE}
        """,
        after=after,
    )
    stepped = Stepped(rows[-1].item_id if rows else None)
    anew: list[_Anew] = []
    for row in rows:
        if row.text is not None and row.text != NO_BODY:
            try:
                anew += _anew(connection, column, row, row.text, keys.of_lane(row.lane))
            except DamagedGroup as error:
                stepped.leave(error)
    if anew:
        stepped.changed = _write(connection, column, anew)
    return stepped


class _Anew(NamedTuple):
    """A text as it was read, and as it is written."""

    item_id: int
    old: str
    new: str
    unbounded: bool
    """It isn't only text: what is encrypted can't be looked into by a statement."""


def _anew(connection: Connection, column: Column, row: _Row, text: str, key: bytes | None) -> list[_Anew]:
    """One text by this key; none where it is by it already. Raises DamagedGroup."""
    if is_by(text, key):
        return []
    place = f"{column.place}:{row.receipt if column.name == 'callback' else row.item_id}"
    plain = unseal_text(connection, place, text)
    unbounded = column.name == "params" and holds_no_text(plain.encode())
    return [_Anew(row.item_id, text, seal_str(key, place, plain), unbounded)]


def _write(connection: Connection, column: Column, anew: Sequence[_Anew]) -> int:
    """Write texts that are still what was read; how many were."""
    unbounded = ", unbounded = anew.unbounded" if column.name == "params" else ""
    changed: dict[str, int] = {}
    for table in with_copies(connection, column.table):
        changed[table] = execute(
            connection,
            f"""
            UPDATE {table} own SET {column.name} = anew.new{unbounded}
            FROM unnest(
                CAST(:ids AS bigint[]), CAST(:olds AS text[]), CAST(:news AS text[]), CAST(:unbounded AS boolean[])
            ) AS anew (item_id, old, new, unbounded)
            -- the bounds say which partitions it may be in
            WHERE own.item_id BETWEEN :first AND :last AND own.item_id = anew.item_id AND own.{column.name} = anew.old
            """,
            ids=[text.item_id for text in anew],
            olds=[text.old for text in anew],
            news=[text.new for text in anew],
            unbounded=[text.unbounded for text in anew],
            first=anew[0].item_id,
            last=anew[-1].item_id,
        )
    return changed[column.table]
