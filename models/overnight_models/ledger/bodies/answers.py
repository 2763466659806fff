"""Answers in their groups: written with their outcomes, read into the rows of whoever wants them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from overnight_models.ledger.bodies import damaged
from overnight_models.ledger.bodies.encryption import (
    NoKey,
    Unreadable,
    is_sealed_text,
    seal_str,
    seal_text,
    shown,
    unseal_text,
    writing_keys,
)
from overnight_models.ledger.bodies.groups import (
    Body,
    GroupTable,
    Place,
    forget_places,
    read_places,
    write_groups,
)
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all
from overnight_models.wire.outcome import Problem

TABLE: Final[GroupTable] = "answer_group"
_AT_ONCE: Final = 200
"""Answers that are in memory at once."""


class Answered(Protocol):
    """A row with an answer: the text itself, or the place where it lies."""

    @property
    def id(self) -> int:
        """The item's."""
        ...

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
    without_key: bool


def place_of(row: Answered) -> Place | None:
    """Where its answer lies; None where it lies in no group. A text in its own row goes before that."""
    if row.message is not None or row.body_group is None or row.body_place is None:
        return None
    return Place(row.body_group, row.body_place)


def write(connection: Connection, bodies: Collection[Body], keys: Mapping[int, bytes]) -> dict[int, Place]:
    """Write answers, in groups where they are worth one. See `groups.write_groups`.

    keys: what encrypts them, by item, as `writing_keys` has it.
    """
    places: dict[int, Place] = {}
    for key in {keys.get(body.item_id) for body in bodies}:  # of several lanes on the direct road
        places |= write_groups(connection, TABLE, [body for body in bodies if keys.get(body.item_id) == key], key)
    return places


def own_text(keys: Mapping[int, bytes], item_id: int, message: bytes | None) -> bytes | None:
    """An answer as it lies in its own row. keys: see `write`."""
    return None if message is None else seal_text(keys.get(item_id), f"answer:{item_id}", message)


def own_detail(keys: Mapping[int, bytes], item_id: int, detail: str | None) -> str | None:
    """What is said of a problem, as it lies in its row: it may quote the answer. keys: see `write`."""
    return None if detail is None else seal_str(keys.get(item_id), f"detail:{item_id}", detail)


def detail_of(connection: Connection, item_id: int, detail: str | None) -> str | None:
    """The same as it was; why it can't be read where it can't."""
    return shown(connection, f"detail:{item_id}", detail)


def whole_detail(connection: Connection, item_id: int, detail: str | None) -> str | None:
    """The same, for whoever writes it elsewhere. Raises NoKey while its encryption key isn't there."""
    try:
        return None if detail is None else unseal_text(connection, f"detail:{item_id}", detail)
    except Unreadable as error:
        raise NoKey(f"what is said of item {item_id}: {error}") from error
    except DamagedGroup as error:
        return f"(it can't be read: {error})"


@dataclass(frozen=True)
class Unread:
    """Answers that couldn't be read."""

    why: Mapping[int, str]
    """By item."""
    without_key: frozenset[int] = frozenset()
    """Of those, the items for which an encryption key isn't there: nothing is wrong with their answers."""


def read(connection: Connection, rows: Collection[Answered], at_hand: Mapping[int, bytes] | None = None) -> Unread:
    """Put into rows the answers that lie in groups, or are encrypted. Returns what can't be read, by item.

    at_hand: groups as their rows have them, which needn't be fetched.
    """
    lying = [(row, place) for row in rows if (place := place_of(row)) is not None]
    why: dict[int, str] = {}
    without_key: set[int] = set()
    for row in rows:
        if row.message is not None and is_sealed_text(row.message):
            try:
                row.message = unseal_text(connection, f"answer:{row.id}", _str(row.message))
            except DamagedGroup as error:
                row.message, why[row.id] = None, f"the answer in the row of item {row.id}: {error}"
                if isinstance(error, Unreadable):
                    without_key.add(row.id)
    if lying:
        groups_read = read_places(connection, TABLE, (place for _, place in lying), at_hand)
        for row, place in lying:
            row.message = groups_read.bodies.get(place)
            if place.group in groups_read.damaged:
                why[row.id] = groups_read.damaged[place.group]
                if place.group in groups_read.without_key:
                    without_key.add(row.id)
        damaged.note(connection, TABLE, groups_read.damaged)
    return Unread(why, frozenset(without_key))


def _str(text: str | bytes) -> str:
    return text.decode() if isinstance(text, bytes) else text


def show(connection: Connection, rows: Collection[Shown], at_hand: Mapping[int, bytes] | None = None) -> Unread:
    """The same. What can't be read is no answer, and its row says so."""
    unread = _with_details(connection, rows, read(connection, rows, at_hand))
    for row in rows if unread.why else ():
        why = unread.why.get(row.id)
        if why is None:
            continue
        row.without_key = row.id in unread.without_key
        row.unreadable = (
            f"its outcome is there, and can be read when its encryption key is ({why})"
            if row.without_key
            else f"it was answered, and the ledger can't read the answer any more ({why}):"
            " restore that row from a backup"
        )
        row.ok, row.problem, row.detail, row.retryable = False, Problem.ERRORED, row.unreadable, row.without_key
    return unread


def _with_details(connection: Connection, rows: Collection[Shown], unread: Unread) -> Unread:
    """Put into rows what is said of their problems. Returns the same with those for which a key isn't there."""
    why, without_key = dict(unread.why), set(unread.without_key)
    for row in rows:
        try:
            row.detail = whole_detail(connection, row.id, row.detail)
        except NoKey as error:
            why[row.id] = str(error)
            without_key.add(row.id)
    return Unread(why, frozenset(without_key))


def show_all(connection: Connection, rows: Collection[Shown], at_hand: Mapping[int, bytes] | None = None) -> None:
    """The same, for whoever hands them on. Raises NoKey while an encryption key isn't there: they wait for it."""
    unread = show(connection, rows, at_hand)
    if unread.without_key:
        waiting = "an outcome waits" if len(unread.without_key) == 1 else f"{len(unread.without_key):,} outcomes wait"
        raise NoKey(f"{waiting} for an encryption key: {unread.why[min(unread.without_key)]}")


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
    keys = writing_keys(connection, [body.item_id for body in lying])
    unread: dict[int, str] = {}
    for start in range(0, len(lying), _AT_ONCE):
        some = lying[start : start + _AT_ONCE]
        groups_read = read_places(connection, TABLE, [(body.group, body.place) for body in some])
        unread |= groups_read.damaged
        texts = {
            body.item_id: seal_text(
                keys.get(body.item_id),
                f"answer:{body.item_id}",
                groups_read.bodies[Place(body.group, body.place)],
            ).decode()
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
