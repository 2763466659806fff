"""Bodies go: a partition is copied without them, window by window, and the copy takes its place."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

from overnight_models.ledger.bodies import answers, requests
from overnight_models.ledger.bodies.damaged import forget_damaged
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.partitions import GROUPED, PARTITION_ITEMS, give_up_copies
from overnight_models.ledger.redo import NO_BODY
from overnight_models.ledger.retention.keep import MOST_CARRIED, VIEW, KeptView, within
from overnight_models.ledger.retention.swap import lock, make, put
from overnight_models.ledger.retention.undone import undone
from overnight_models.ledger.rows import execute, fetch_column, fetch_one

_WINDOW: Final = 50_000
"""Numbers of items that are copied in one transaction."""


_BODIES: Final = {
    "request": {"params": f"'{NO_BODY}'", "body_group": "NULL", "body_place": "NULL", "unbounded": "NULL"},
    "outcome": {"message": "NULL", "body_group": "NULL", "body_place": "NULL", "body_size": "NULL"},
}
"""Tables of which rows stay, and what stands there instead of bodies."""


def begin(connection: Connection, first: int, now: datetime) -> str:
    """Bodies are dropped by copying all but them."""
    for table in _BODIES:
        make(connection, table, first, f"{table}_copy_{first}")
    began = "UPDATE kept SET copied_to = :first, left_out = '{}', looked_at = :now WHERE first_item = :first"
    execute(connection, began, first=first, now=now)
    return f"partition {first}: its bodies are being dropped"


def go_on(connection: Connection, view: KeptView, now: datetime) -> str:
    """Copy the next window, or, behind the last one, put the copies in the place of the partitions.

    What is final doesn't change any more, so nobody is locked out while it is copied.
    """
    first, copied_to = view.first_item, view.copied_to
    assert copied_to is not None
    if copied_to >= first + PARTITION_ITEMS:
        return _end_bodies(connection, view, now)
    window = {"first": copied_to, "until": min(copied_to + _WINDOW, first + PARTITION_ITEMS)}
    left = undone(connection, window, now)
    if len(view.left_out) + len(left) > MOST_CARRIED:
        return _give_up_copying(connection, first, too_many(MOST_CARRIED))
    for table, blank in _BODIES.items():
        _copy(connection, table, f"{table}_copy_{first}", blank, window, left)
    execute(
        connection,
        "UPDATE kept SET copied_to = :until, left_out = left_out || CAST(:undone AS bigint[]) WHERE first_item = :of",
        until=window["until"],
        undone=left,
        of=first,
    )
    return f"partition {first}: its bodies are being dropped"


def _copy(
    connection: Connection,
    table: str,
    copy: str,
    blank: Mapping[str, str],
    window: Mapping[str, object],
    left: list[int],
) -> None:
    columns = _columns(connection, table)
    values = ", ".join(blank.get(column, column) for column in columns)
    execute(
        connection,
        f"""
        INSERT INTO {copy} ({", ".join(columns)}) SELECT {values} FROM {table}
        WHERE {within("item_id")} AND NOT item_id = ANY(:left)
        """,
        left=left,
        **window,
    )


def _columns(connection: Connection, table: str) -> list[str]:
    return fetch_column(
        connection,
        str,
        "SELECT attname::text FROM pg_attribute WHERE attrelid = CAST(:table AS regclass) AND attnum > 0"
        " AND NOT attisdropped ORDER BY attnum",
        table=table,
    )


def _end_bodies(connection: Connection, view: KeptView, now: datetime) -> str:
    """Copies without bodies take the places of a partition's requests and outcomes."""
    first = view.first_item
    if why := carry(connection, view.left_out):
        return _give_up_copying(connection, first, why)
    whole = lock(connection, (*_BODIES, *GROUPED), first, view.left_out)
    if why := carry(connection, whole):
        raise DamagedGroup(why)
    for table in _BODIES:
        copy = f"{table}_copy_{first}"
        # what is to be delivered again since it was copied has its body, too
        execute(connection, f"DELETE FROM {copy} WHERE item_id = ANY(:whole)", whole=whole)
        rows = f"INSERT INTO {copy} SELECT * FROM {table}_from_{first} WHERE item_id = ANY(:whole)"
        execute(connection, rows, whole=whole)
        put(connection, table, first, copy)
    drop_groups(connection, first, items_stay=True)
    execute(
        connection,
        """
        UPDATE kept SET bodies_dropped_at = :now, copied_to = NULL, left_out = '{}', looked_at = NULL, carried = :whole
        WHERE first_item = :first
        """,
        now=now,
        first=first,
        whole=len(whole),
    )
    return f"partition {first}: its bodies are dropped, {len(whole):,} items keep theirs"


def too_many(limit: int) -> str:
    """Why a partition stays as it is where more of its items than that would be carried over."""
    return f"more than {limit:,} of its items aren't finished, delivered or billed"


def carry(connection: Connection, item_ids: Collection[int]) -> str | None:
    """Bodies of these items are written into their own rows, since the groups go. Returns what keeps them, if anything.

    Before the tables are locked, for all that are known by then: afterwards it is done already.
    """
    asked = requests.give_own(connection, item_ids)
    if asked:
        return f"the requests of {len(asked):,} unfinished items can't be read: {next(iter(asked.values()))}"
    unread = answers.give_own(connection, item_ids)
    return f"answers that aren't delivered can't be read: {next(iter(unread.values()))}" if unread else None


def drop_groups(connection: Connection, first: int, *, items_stay: bool) -> None:
    """A partition's groups go; what is needed of them was carried. items_stay: some of those may get an answer yet."""
    execute(connection, f"DROP TABLE IF EXISTS request_group_from_{first}")
    go = "TRUNCATE TABLE" if items_stay else "DROP TABLE IF EXISTS"
    execute(connection, f"{go} answer_group_from_{first}")
    forget_damaged(connection, answers.TABLE, first, first + PARTITION_ITEMS)


def _give_up_copying(connection: Connection, first: int, why: str) -> str:
    """The partition stays as it is, and is looked at again later."""
    give_up_copies(connection, why)
    return f"partition {first}: {why}"


def copying(connection: Connection) -> KeptView | None:
    """The partition whose bodies are being dropped; None when there is none."""
    return fetch_one(connection, KeptView, f"SELECT {VIEW} FROM kept WHERE copied_to IS NOT NULL LIMIT 1")
