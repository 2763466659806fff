"""What items ask, wherever it lies: in their own rows, or in groups.

An item whose request can't be read is held: nothing of it is lost, and it goes on by itself when the row of its group
is restored. Others aren't delayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection

from overnight_models.ledger.bodies.groups import GroupReader, GroupTable, Place, forget_places, read_places
from overnight_models.ledger.bodies.packed import DamagedGroup
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
    texts = {row.item_id: row.params.encode() for row in rows if row.params is not None}
    places = {row.item_id: place for row in rows if (place := row.place) is not None}
    groups_read = read_places(connection, TABLE, places.values())
    texts |= {
        item_id: groups_read.bodies[place]
        for item_id, place in places.items()
        if place.group not in groups_read.damaged
    }
    damaged = {row.item_id: _NOWHERE for row in rows if row.item_id not in texts}
    damaged |= {item_id: groups_read.damaged[place.group] for item_id, place in places.items() if item_id in damaged}
    return Requests(texts, damaged)


class RequestReader:
    """Reads request after request of a long list, in flat memory; what it couldn't read is in `damaged`."""

    def __init__(self, connection: Connection) -> None:
        self._groups = GroupReader(connection, TABLE)
        self.damaged: dict[int, str] = {}
        """By item: why."""

    def text(self, row: Row) -> bytes | None:
        """What an item asks; None when that can't be read."""
        if row.params is not None:
            return row.params.encode()
        try:
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
    for row in _in_groups(connection, item_ids):
        text = reader.text(row)
        if text is not None:
            execute(
                connection,
                "UPDATE request SET params = :text, body_group = NULL, body_place = NULL"
                " WHERE item_id = :id AND params IS NULL",
                text=text.decode(),
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


def release(connection: Connection) -> int:
    """Items that were held for that and can be read again wait in their old places. Returns how many."""
    groups = fetch_all(
        connection,
        _HeldGroup,
        """
        SELECT body_group AS id, min(item_id) AS item_id FROM (
            SELECT item.id AS item_id, body_group FROM item JOIN request ON request.item_id = item.id
            WHERE held_by = :no_budget ORDER BY held_reason, held_since, item.id LIMIT :limit
        ) held GROUP BY body_group ORDER BY body_group LIMIT :groups
        """,
        no_budget=NO_BUDGET,
        limit=_LOOKED_AT * 500,
        groups=_LOOKED_AT,
    )
    damaged = read_requests(connection, [group.item_id for group in groups]).damaged
    readable = [group.id for group in groups if group.item_id not in damaged]
    if not readable:
        return 0
    return execute(
        connection,
        f"""
        UPDATE item SET {ITEM.release.set}, waiting_since = held_since, held_by = NULL, held_since = NULL,
               held_reason = NULL
        FROM request
        WHERE item.{ITEM.release.where} AND held_by = :no_budget AND request.item_id = item.id
          AND body_group = ANY(:readable)
        """,
        no_budget=NO_BUDGET,
        readable=readable,
    )


class _HeldGroup(NamedTuple):
    id: int
    item_id: int
    """One of its items that are held."""
