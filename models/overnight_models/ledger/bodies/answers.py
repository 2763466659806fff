"""Answers in their groups: written with their outcomes, read into the rows of whoever wants them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple, Protocol

from sqlalchemy import Connection

from overnight_models.ledger.bodies import damaged
from overnight_models.ledger.bodies.groups import (
    Body,
    GroupTable,
    Place,
    forget_places,
    read_places,
    write_groups,
)
from overnight_models.ledger.rows import execute, fetch_all
from overnight_models.wire.outcome import Problem

TABLE: Final[GroupTable] = "answer_group"
_AT_ONCE: Final = 200
"""Answers that are in memory at once."""


class Answered(Protocol):
    """A row with an answer: the text itself, or the place where it lies."""

    message: str | bytes | None
    body_group: int | None
    body_place: int | None


class Shown(Answered, Protocol):
    """One that is shown, and says when its answer can't be read."""

    ok: bool | None
    problem: str | None
    detail: str | None
    retryable: bool | None
    unreadable: str | None


def place_of(row: Answered) -> Place | None:
    """Where its answer lies; None where it lies in no group. A text in its own row goes before that."""
    if row.message is not None or row.body_group is None or row.body_place is None:
        return None
    return Place(row.body_group, row.body_place)


def write(connection: Connection, bodies: Iterable[Body]) -> dict[int, Place]:
    """Write answers of one lane, in groups where they are worth one. See `groups.write_groups`."""
    return write_groups(connection, TABLE, bodies)


def read(connection: Connection, rows: Collection[Answered]) -> dict[int, str]:
    """Put into rows the answers that lie in groups. Returns the groups that can't be read, and why."""
    lying = [(row, place) for row in rows if (place := place_of(row)) is not None]
    if not lying:
        return {}
    groups_read = read_places(connection, TABLE, (place for _, place in lying))
    for row, place in lying:
        row.message = groups_read.bodies.get(place)
    damaged.note(connection, TABLE, groups_read.damaged)
    return dict(groups_read.damaged)


def show(connection: Connection, rows: Collection[Shown]) -> None:
    """The same. What can't be read is no answer, and its row says so."""
    unread = read(connection, rows)
    for row in rows if unread else ():
        if row.body_group in unread:
            row.unreadable = (
                f"it was answered, and the ledger can't read the answer any more ({unread[row.body_group]}):"
                " restore that row from a backup"
            )
            row.ok, row.problem, row.detail, row.retryable = False, Problem.ERRORED, row.unreadable, False


class _Lying(NamedTuple):
    """An item whose answer lies in a group."""

    item_id: int
    group: int
    place: int


def _lying(connection: Connection, item_ids: Collection[int]) -> list[_Lying]:
    """Those of the items, group by group."""
    return fetch_all(
        connection,
        _Lying,
        """
        SELECT item_id, body_group AS "group", body_place AS place FROM outcome
        WHERE item_id = ANY(:ids) AND body_group IS NOT NULL ORDER BY body_group, body_place
        """,
        ids=list(item_ids),
    )


def forget(connection: Connection, item_ids: Collection[int]) -> None:
    """Take the answers of items out of their groups; the others keep their places."""
    forget_places(connection, TABLE, ((body.group, body.place) for body in _lying(connection, item_ids)))


def give_own(connection: Connection, item_ids: Collection[int]) -> dict[int, str]:
    """Write the answers of items into their own rows: groups may be dropped. Returns groups that can't be read."""
    lying = _lying(connection, item_ids)
    unread: dict[int, str] = {}
    for start in range(0, len(lying), _AT_ONCE):
        some = lying[start : start + _AT_ONCE]
        groups_read = read_places(connection, TABLE, [(body.group, body.place) for body in some])
        unread |= groups_read.damaged
        texts = {
            body.item_id: groups_read.bodies[Place(body.group, body.place)].decode()
            for body in some
            if body.group not in groups_read.damaged
        }
        execute(
            connection,
            """
            UPDATE outcome SET message = coalesce(message, own.body), body_group = NULL, body_place = NULL
            FROM unnest(CAST(:ids AS bigint[]), CAST(:bodies AS text[])) AS own (item_id, body)
            WHERE outcome.item_id = own.item_id
            """,
            ids=list(texts),
            bodies=list(texts.values()),
        )
    return unread
