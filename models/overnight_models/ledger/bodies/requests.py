"""What items ask, wherever it lies: in their own rows, or in groups.

An item whose request can't be read is held: nothing of it is lost, and it goes on by itself when the row of its group
is restored. Others aren't delayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from overnight_models.ledger.bodies.encryption import (
    NoKey,
    Unreadable,
    is_sealed_text,
    seal_text,
    unseal_text,
    writing_keys,
)
from overnight_models.ledger.bodies.groups import GroupReader, GroupTable, Place, forget_places, read_places
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column
from overnight_models.states import ITEM

TABLE: Final[GroupTable] = "request_group"
NO_BUDGET: Final = 0
"""In `held_by`: what holds an item is no budget, but that its request can't be read."""
_LOOKED_AT: Final = 100
"""Groups that one look tries."""
_NOWHERE: Final = "its row names no group"


class Row(NamedTuple):
    """Where an item's request is."""

    item_id: int
    params: str | None
    body_group: int | None
    body_place: int | None

    @property
    def place(self) -> Place | None:
        """None: it has a text of its own."""
        if self.params is not None or self.body_group is None or self.body_place is None:
            return None
        return Place(self.body_group, self.body_place)


@dataclass(frozen=True)
class Requests:
    """What was read."""

    texts: Mapping[int, bytes]
    """By item: JSON, without its prefix."""
    damaged: Mapping[int, str]
    """By item: why its request can't be read."""


def read_requests(connection: Connection, item_ids: Collection[int]) -> Requests:
    """What these items ask. Each group is read once."""
    if not item_ids:
        return Requests({}, {})
    rows = fetch_all(
        connection,
        Row,
        "SELECT item_id, params, body_group, body_place FROM request WHERE item_id = ANY(:ids)",
        ids=list(item_ids),
    )
    texts, damaged = _own(connection, rows)
    places = {row.item_id: place for row in rows if (place := row.place) is not None}
    groups_read = read_places(connection, TABLE, places.values())
    texts |= {
        item_id: groups_read.bodies[place]
        for item_id, place in places.items()
        if place.group not in groups_read.damaged
    }
    damaged |= {row.item_id: _NOWHERE for row in rows if row.item_id not in texts and row.params is None}
    damaged |= {item_id: groups_read.damaged[place.group] for item_id, place in places.items() if item_id in damaged}
    return Requests(texts, damaged)


def _own(connection: Connection, rows: Collection[Row]) -> tuple[dict[int, bytes], dict[int, str]]:
    """Texts that lie in the rows themselves, and why some of them can't be read."""
    texts: dict[int, bytes] = {}
    damaged: dict[int, str] = {}
    for row in rows:
        if row.params is not None:
            try:
                texts[row.item_id] = _own_text(connection, row.item_id, row.params)
            except DamagedGroup as error:
                damaged[row.item_id] = str(error)
    return texts, damaged


def _own_text(connection: Connection, item_id: int, params: str) -> bytes:
    return (unseal_text(connection, f"request:{item_id}", params) if is_sealed_text(params) else params).encode()


def own_text(key: bytes | None, item_id: int, params: bytes) -> bytes:
    """What an item asks as it lies in its own row. key: what it is encrypted by."""
    return seal_text(key, f"request:{item_id}", params)


def own_callback(key: bytes | None, receipt: str, callback: bytes | None) -> bytes | None:
    """An item's callback as it lies in its row: what it is told may be anything. key: what it is encrypted by.

    Bound to the receipt: another try of the item has the same.
    """
    return None if callback is None else seal_text(key, f"callback:{receipt.lower()}", callback)


def callback_of(connection: Connection, receipt: UUID, callback: str) -> str:
    """The same as it was. Raises NoKey where its encryption key isn't there, and DamagedGroup."""
    if not is_sealed_text(callback):
        return callback
    try:
        return unseal_text(connection, f"callback:{receipt}", callback)
    except Unreadable as error:
        raise NoKey(f"callbacks wait: {error}") from error


class RequestReader:
    """Reads request after request of a long list, in flat memory; what it couldn't read is in `damaged`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._groups = GroupReader(connection, TABLE)
        self.damaged: dict[int, str] = {}
        """By item: why."""

    def text(self, row: Row) -> bytes | None:
        """What an item asks; None when that can't be read."""
        try:
            if row.params is not None:
                return _own_text(self._connection, row.item_id, row.params)
            if row.place is None:
                raise DamagedGroup(_NOWHERE)
            return self._groups.body(*row.place)
        except DamagedGroup as error:
            self.damaged[row.item_id] = str(error)
            return None


def forget(connection: Connection, item_ids: Collection[int]) -> None:
    """What these items ask goes out of groups; their rows are the caller's. Another try keeps what it asks."""
    others = fetch_column(
        connection,
        int,
        """
        WITH RECURSIVE same (id) AS (
            SELECT unnest(CAST(:ids AS bigint[]))
            UNION
            SELECT other.id FROM same CROSS JOIN LATERAL (
                SELECT of_item_id AS id FROM redo WHERE redo.item_id = same.id
                UNION ALL SELECT item_id FROM redo WHERE redo.of_item_id = same.id
            ) other
        )
        SELECT id FROM same WHERE NOT id = ANY(:ids)
        """,
        ids=list(item_ids),
    )
    give_own(connection, others)
    places = [row.place for row in _in_groups(connection, item_ids)]
    forget_places(connection, TABLE, [place for place in places if place is not None])


def give_own(connection: Connection, item_ids: Collection[int]) -> dict[int, str]:
    """Write what these items ask into their own rows: their groups may be dropped. Returns those that can't be read."""
    reader = RequestReader(connection)
    keys = writing_keys(connection, item_ids)
    for row in _in_groups(connection, item_ids):
        text = reader.text(row)
        if text is not None:
            execute(
                connection,
                "UPDATE request SET params = :text, body_group = NULL, body_place = NULL"
                " WHERE item_id = :id AND params IS NULL",
                text=own_text(keys.get(row.item_id), row.item_id, text).decode(),
                id=row.item_id,
            )
    return reader.damaged


def _in_groups(connection: Connection, item_ids: Collection[int]) -> Iterator[Row]:
    """Those of the items whose requests lie in groups, group by group."""
    yield from fetch_all(
        connection,
        Row,
        """
        SELECT item_id, params, body_group, body_place FROM request WHERE item_id = ANY(:ids) AND params IS NULL
        ORDER BY body_group, item_id
        """,
        ids=list(item_ids),
    )


def hold(connection: Connection, damaged: Mapping[int, str]) -> int:
    """Waiting items whose requests can't be read are held, each with the reason. Returns how many."""
    return execute(
        connection,
        f"""
        UPDATE item SET {ITEM.hold.set}, held_since = waiting_since, waiting_since = NULL, held_by = :no_budget,
               held_reason = 'its request can''t be read: ' || damaged.why
        FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS damaged (id, why)
        WHERE item.id = damaged.id AND item.{ITEM.hold.where}
        """,
        ids=list(damaged),
        whys=list(damaged.values()),
        no_budget=NO_BUDGET,
    )


class UnreadableRequests(NamedTuple):
    """Items of a lane that are held for one reason: their requests can't be read."""

    lane: str
    why: str
    items: int


def unreadable(connection: Connection) -> list[UnreadableRequests]:
    """What is held because it can't be read, by lane and reason; of a hundred reasons."""
    return fetch_all(
        connection,
        UnreadableRequests,
        """
        SELECT lane.name AS lane, held_reason AS why, count(*) AS items FROM item JOIN lane ON lane.id = item.lane_id
        WHERE held_by = :no_budget GROUP BY lane.name, held_reason ORDER BY lane.name, held_reason LIMIT :limit
        """,
        no_budget=NO_BUDGET,
        limit=_LOOKED_AT,
    )
