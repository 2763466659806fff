"""An inbox table in a product's database, as its relay reads it. It may be the ledger's database, and mostly isn't."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple
from uuid import UUID

from psycopg import errors

from overnight_models.errors import PermanentError
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import driver_connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_only, maker
from overnight_models.wire.inbox import InboxTable

MOST_COUNTED: Final = 100_000
"""More rows than that aren't counted."""
_FETCHED_AT_ONCE: Final = 10
_SMALL_FETCHED_AT_ONCE: Final = 50
"""While messages are small: fifty large ones are still no more than a process can hold."""
_SMALL: Final = 4_000
_SHOWN: Final = 100


class InboxUnusable(PermanentError):
    """The inbox table isn't there, or this role may not take anything out of it."""


_UNUSABLE: Final[Mapping[type[Exception], str]] = {
    errors.UndefinedTable: "there is no table {} in the product's database: `overnight inbox sql` prints what makes it",
    errors.UndefinedColumn: "the table {} lacks a column: `overnight inbox sql` prints the table of this version",
    errors.InsufficientPrivilege: "this role may not take messages out of {}: `overnight inbox sql --grant-relay ROLE`"
    " prints the grant",
}
"""What Postgres says, and what there is to be done."""


class Waiting(NamedTuple):
    """A message that waits."""

    id: int
    message_id: UUID
    v: int
    lane: str
    run: str | None
    encoding: str | None
    items: str
    item_count: int


class Look(NamedTuple):
    """How it stands with a table."""

    waiting: int
    """Messages, `MOST_COUNTED` at most."""
    oldest_s: float | None
    """Since the first of them was written; None: none waits."""
    aside: int
    """Messages that were put aside, `MOST_COUNTED` at most."""
    aside_why: str | None
    """Why the last of them was."""


class Lying(NamedTuple):
    """A message that lies in the table, put aside or not, with what it says."""

    id: int
    lane: str
    run: str | None
    encoding: str | None
    items: str
    is_aside: bool


class Aside(NamedTuple):
    """A message that was put aside."""

    id: int
    message_id: UUID
    lane: str
    run: str | None
    item_count: int
    age_s: float
    error: str


def take(connection: Connection, table: InboxTable, is_enough: Callable[[Waiting], bool]) -> list[Waiting]:
    """The first messages that no other relay has in hand, locked until this transaction ends.

    is_enough: asked with each message, whether it is the last to be taken.
    """
    # what the planner knows of a table that is filled and emptied all the time is always of another time
    execute(connection, "SET LOCAL enable_seqscan = off")
    execute(connection, "SET LOCAL enable_sort = off")
    execute(connection, "SET LOCAL enable_bitmapscan = off")
    taken: list[Waiting] = []
    with driver_connection(connection).cursor(name="inbox") as cursor:
        try:
            # a cursor, so that no more is locked than is taken
            cursor.execute(
                f"SELECT {', '.join(Waiting._fields)} FROM {table.quoted} WHERE error IS NULL"
                " ORDER BY id FOR UPDATE SKIP LOCKED"
            )
        except tuple(_UNUSABLE) as error:
            raise InboxUnusable(_UNUSABLE[type(error)].format(table)) from error
        assert cursor.description is not None
        row_of = maker(Waiting, tuple(column.name for column in cursor.description))
        at_once = _FETCHED_AT_ONCE
        while rows := cursor.fetchmany(at_once):
            messages = [row_of(*row) for row in rows]
            taken += messages
            are_small = all(len(message.items) < _SMALL for message in messages)
            at_once = _SMALL_FETCHED_AT_ONCE if are_small else _FETCHED_AT_ONCE
            # all of them are locked, so all are taken
            enough = [is_enough(message) for message in messages]
            if any(enough):
                break
    return taken


def lying(
    connection: Connection, table: InboxTable, *, lane: str | None, run: str | None, after: int, limit: int
) -> list[Lying]:
    """Messages of a lane and a run, or of any where that is None, in their order. after: the last one's id, or 0."""
    return fetch_all(
        connection,
        Lying,
        f"""
        SELECT id, lane, run, encoding, items, error IS NOT NULL AS is_aside FROM {table.quoted}
        WHERE id > :after AND (CAST(:lane AS text) IS NULL OR lane = :lane)
          AND (CAST(:run AS text) IS NULL OR run = :run)
        ORDER BY id LIMIT :limit
        """,
        lane=lane,
        run=run,
        after=after,
        limit=limit,
    )


def remove(connection: Connection, table: InboxTable, ids: Collection[int]) -> None:
    """The ledger has them."""
    execute(connection, f"DELETE FROM {table.quoted} WHERE id = ANY(CAST(:ids AS bigint[]))", ids=list(ids))


def put_aside(connection: Connection, table: InboxTable, why: Mapping[int, str]) -> None:
    """They can't be taken as they are, and stand in nobody's way. why: by id."""
    execute(
        connection,
        f"""
        UPDATE {table.quoted} AS inbox SET error = refused.error
        FROM unnest(CAST(:ids AS bigint[]), CAST(:errors AS text[])) AS refused (id, error)
        WHERE inbox.id = refused.id
        """,
        ids=list(why),
        errors=[error.replace("\x00", "\ufffd") for error in why.values()],
    )


def look(connection: Connection, table: InboxTable) -> Look:
    """How it stands with a table."""
    return fetch_only(
        connection,
        Look,
        f"""
        SELECT
            (SELECT count(*) FROM (SELECT FROM {table.quoted} WHERE error IS NULL LIMIT :most) AS counted) AS waiting,
            (SELECT extract(epoch FROM clock_timestamp() - enqueued_at)::float FROM {table.quoted}
             WHERE error IS NULL ORDER BY id LIMIT 1) AS oldest_s,
            (SELECT count(*) FROM (SELECT FROM {table.quoted} WHERE error IS NOT NULL LIMIT :most) AS counted) AS aside,
            (SELECT error FROM {table.quoted} WHERE error IS NOT NULL ORDER BY id DESC LIMIT 1) AS aside_why
        """,
        most=MOST_COUNTED,
    )


def aside(connection: Connection, table: InboxTable) -> list[Aside]:
    """The first messages that were put aside, a hundred at most."""
    return fetch_all(
        connection,
        Aside,
        f"""
        SELECT id, message_id, lane, run, item_count,
               extract(epoch FROM clock_timestamp() - enqueued_at)::float AS age_s, error
        FROM {table.quoted} WHERE error IS NOT NULL ORDER BY id LIMIT :most
        """,
        most=_SHOWN,
    )


class AllAside(NamedTuple):
    """All that was put aside of a table."""

    messages: int
    items: int
    why: str | None
    """Of the last message; None: nothing was put aside."""


def all_aside(connection: Connection, table: InboxTable) -> AllAside:
    """How much was put aside: that many messages are taken on again, or given up, where no row is named."""
    return fetch_only(
        connection,
        AllAside,
        f"""
        SELECT count(*) AS messages, coalesce(sum(item_count), 0)::bigint AS items,
               (SELECT error FROM {table.quoted} WHERE error IS NOT NULL ORDER BY id DESC LIMIT 1) AS why
        FROM {table.quoted} WHERE error IS NOT NULL
        """,
    )


def aside_messages(connection: Connection, table: InboxTable, ids: Collection[int]) -> list[UUID]:
    """The messages that were put aside, of these ids; of all, where none is said."""
    rows = fetch_all(
        connection,
        f"""
        SELECT message_id FROM {table.quoted}
        WHERE error IS NOT NULL AND (cardinality(CAST(:ids AS bigint[])) = 0 OR id = ANY(CAST(:ids AS bigint[])))
        ORDER BY id
        """,
        ids=list(ids),
    )
    return [row["message_id"] for row in rows]


def let_go_on(connection: Connection, table: InboxTable, message_ids: Collection[UUID]) -> int:
    """They are taken again. Returns how many there were."""
    return execute(
        connection,
        f"""
        UPDATE {table.quoted} SET error = NULL
        WHERE error IS NOT NULL AND message_id = ANY(CAST(:message_ids AS uuid[]))
        """,
        message_ids=list(message_ids),
    )


def drop_aside(connection: Connection, table: InboxTable, message_ids: Collection[UUID]) -> int:
    """They are given up. Returns how many there were."""
    return execute(
        connection,
        f"""
        DELETE FROM {table.quoted} WHERE error IS NOT NULL AND message_id = ANY(CAST(:message_ids AS uuid[]))
        """,
        message_ids=list(message_ids),
    )
