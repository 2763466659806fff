"""Groups that can't be read are noted, for an alarm, until they can be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.bodies.groups import GroupTable, read_places
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_only_value

_LOOKED_AT: Final = 100
"""So many are read again at once, or shown."""


class Damaged(NamedTuple):
    """A group that couldn't be read."""

    kind: GroupTable
    group_id: int
    at: datetime
    why: str


def note(connection: Connection, table: GroupTable, damaged: Mapping[int, str]) -> None:
    """Note groups that couldn't be read; who only reads leaves that to others."""
    if not damaged or fetch_only_value(connection, bool, "SELECT current_setting('transaction_read_only')::boolean"):
        return
    execute(
        connection,
        """
        INSERT INTO damaged_group (kind, group_id, why)
        SELECT :kind, * FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) ON CONFLICT DO NOTHING
        """,
        kind=table,
        ids=list(damaged),
        whys=list(damaged.values()),
    )


def noted(connection: Connection) -> list[Damaged]:
    """Groups that couldn't be read, the oldest first."""
    return fetch_all(
        connection,
        Damaged,
        f"SELECT kind, group_id, at, why FROM damaged_group ORDER BY at, kind, group_id LIMIT {_LOOKED_AT}",
    )


def look_again(connection: Connection) -> int:
    """Read them again, and forget those that can be read: somebody has restored them. Returns how many."""
    mended = 0
    for group in noted(connection):
        if not read_places(connection, group.kind, [(group.group_id, 0)]).damaged:
            mended += execute(
                connection,
                "DELETE FROM damaged_group WHERE kind = :kind AND group_id = :id",
                kind=group.kind,
                id=group.group_id,
            )
    return mended


def forget_damaged(connection: Connection, table: GroupTable, first: int, until: int) -> None:
    """Groups of these numbers are gone, the damaged ones with the others."""
    execute(
        connection,
        "DELETE FROM damaged_group WHERE kind = :kind AND group_id >= :first AND group_id < :until",
        kind=table,
        first=first,
        until=until,
    )
