"""Prefixes: stored once by their hash, and deleted when no item that is kept goes on from them.

A lane that encrypts has prefixes of its own, encrypted by its key: no other lane waits for that. What statements want
to know of a document that they can't read stands beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from overnight_models import exact_json
from overnight_models.errors import TransientError
from overnight_models.ledger.bodies import encryption
from overnight_models.ledger.bodies.encryption import (
    NoKey,
    Unreadable,
    is_sealed_text,
    seal_str,
    unseal_text,
    writing_key,
)
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.bodies.requests import Requests, read_requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_one, fetch_only_value
from overnight_models.request.prefix import Prefix, hash_of
from overnight_models.request.worst_case import holds_no_text

if TYPE_CHECKING:
    from overnight_models.ledger.database import Database

_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 64_000_000
"""Documents kept in memory by one process."""

BYTES: Final = "coalesce(prefix.size, octet_length(prefix.document))"
"""In SQL: the bytes of a prefix, encrypted or not."""
HAS_MARKS: Final = "coalesce(prefix.has_marks, position('\"cache_control\"' IN prefix.document) > 0)"
"""In SQL: whether its producer has marked something in it for the cache."""


class PrefixForgotten(TransientError):
    """A prefix was deleted between its look-up and its use. The next look-up stores it again."""


@dataclass(frozen=True)
class StoredPrefix(Prefix):
    """A prefix that is in the ledger."""

    id: int


class Owner(NamedTuple):
    """A lane that encrypts: its prefixes are its own."""

    lane_id: int
    lane: str


class _Row(NamedTuple):
    """A prefix as the table has it."""

    id: int
    document: str


class Prefixes:
    """The prefixes by hash, kept in memory.

    fetch: reads the document of one that isn't in the ledger yet; None when it is gone.
    """

    def __init__(self, database: Database, fetch: Callable[[str], bytes | None]) -> None:
        self._database = database
        self._fetch = fetch
        self._known: dict[tuple[str, Owner | None], StoredPrefix] = {}
        self._bytes = 0

    def find(self, name: object, owner: Owner | None = None) -> StoredPrefix | None:
        """The prefix of this hash, stored if it wasn't; None when nobody has it. Raises ValueError when it is none.

        owner: the lane that wants it, if it encrypts. Raises NoKey while its encryption key isn't there.
        """
        if not isinstance(name, str) or not _HASH.fullmatch(name):
            raise ValueError("`prefix` must be a SHA-256 in hex")
        prefix = self._known.get((name, owner)) or self._read_or_store(name, owner)
        if prefix is not None and (name, owner) not in self._known:
            if self._bytes > _MOST_BYTES:
                self.forget()
            self._known[name, owner] = prefix
            self._bytes += len(prefix.document)
        return prefix

    def forget(self) -> None:
        """Look them all up anew."""
        self._known.clear()
        self._bytes = 0

    def _read_or_store(self, name: str, owner: Owner | None) -> StoredPrefix | None:
        try:
            return self._read(name, owner) or self._store(name, owner)
        except NoKey:
            # a key that is lost for good: what its producer has just left is written by the key of today
            stored = self._store(name, owner)
            if stored is None:
                raise
            return stored

    def _read(self, name: str, owner: Owner | None) -> StoredPrefix | None:
        with self._database.transaction() as connection:
            row = _row(connection, name, owner)
            if row is None:
                return None
            document = whole(connection, row.id, row.document)
            if owner is not None and not is_sealed_text(row.document):
                _write(connection, row, owner, document)  # it didn't encrypt for a while
        return StoredPrefix(document.encode(), row.id)

    def _store(self, name: str, owner: Owner | None) -> StoredPrefix | None:
        fetched = self._fetch(name)
        if fetched is None:
            return None
        if hash_of(fetched) != name:
            raise ValueError("what lies in Redis under the prefix's hash has another hash")
        document = Prefix.of(exact_json.loads(fetched)).document.decode()
        with self._database.transaction() as connection:
            if owner is not None:
                return StoredPrefix(document.encode(), keep_own(connection, name, owner, document))
            execute(
                connection,
                "INSERT INTO prefix (hash, document) VALUES (decode(:name, 'hex'), :document) ON CONFLICT DO NOTHING",
                name=name,
                document=document,
            )
        return self._read(name, owner)


def _row(connection: Connection, name: str, owner: Owner | None) -> _Row | None:
    return fetch_one(
        connection,
        _Row,
        "SELECT id, document FROM prefix WHERE hash = decode(:name, 'hex') AND own_lane_id = :lane_id",
        name=name,
        lane_id=0 if owner is None else owner.lane_id,
    )


def keep_own(connection: Connection, name: str, owner: Owner, document: str) -> int:
    """A lane's own row of a prefix, encrypted by its key of today. name: its hash in hex. Raises NoKey."""
    row = _row(connection, name, owner)
    if row is None:
        execute(
            connection,
            """
            INSERT INTO prefix (id, hash, own_lane_id, document, size, has_marks, unbounded)
            VALUES (:id, decode(:name, 'hex'), :lane_id, :document, :size, :has_marks, :unbounded)
            ON CONFLICT DO NOTHING
            """,
            id=(number := fetch_only_value(connection, int, "SELECT nextval('prefix_id_seq')")),
            name=name,
            lane_id=owner.lane_id,
            document=seal_str(writing_key(connection, owner.lane), place_of(number), document),
            size=len(document.encode()),
            has_marks='"cache_control"' in document,
            unbounded=holds_no_text(document.encode()),
        )
        row = _row(connection, name, owner)
        assert row is not None, "it was written just now, by this transaction or another one"
    if not is_sealed_text(row.document) or _unreadable(connection, row) is not None:
        _write(connection, row, owner, document)
    return row.id


def _write(connection: Connection, row: _Row, owner: Owner, document: str) -> None:
    execute(
        connection,
        "UPDATE prefix SET document = :document WHERE id = :id AND document = :old",
        document=seal_str(writing_key(connection, owner.lane), place_of(row.id), document),
        id=row.id,
        old=row.document,
    )


def place_of(number: int) -> str:
    """What a prefix's document is bound to. number: its own."""
    return f"prefix:{number}"


def readable(connection: Connection, prefix_id: int, document: str) -> str:
    """A document as it was, from the column. Raises Unreadable and DamagedGroup."""
    return unseal_text(connection, place_of(prefix_id), document)


def whole(connection: Connection, prefix_id: int, document: str) -> str:
    """The same. Raises NoKey while its key isn't there, and DamagedGroup."""
    try:
        return readable(connection, prefix_id, document)
    except Unreadable as error:
        raise NoKey(f"what requests begin with waits: {error}") from error


def shown(connection: Connection, prefix_id: int, document: str | None) -> str | None:
    """The same for a person: where it can't be read, why."""
    return encryption.shown(connection, place_of(prefix_id), document)


def _unreadable(connection: Connection, row: _Row) -> str | None:
    """Why a prefix can't be read; None: it can."""
    try:
        readable(connection, row.id, row.document)
    except DamagedGroup as error:
        return f"what it begins with: {error}"
    return None


def unreadable(connection: Connection, prefix_ids: Collection[int]) -> dict[int, str]:
    """Those of them that can't be read now, and why."""
    rows = fetch_all(
        connection,
        _Row,
        "SELECT id, document FROM prefix WHERE id = ANY(:ids) AND own_lane_id <> 0",
        ids=list(prefix_ids),
    )
    return {row.id: why for row in rows if (why := _unreadable(connection, row)) is not None}


class _GoesOn(NamedTuple):
    """An item, and the prefix that it goes on from."""

    item_id: int
    prefix_id: int


def unreadable_of(connection: Connection, item_ids: Collection[int]) -> dict[int, str]:
    """The items among these whose prefixes can't be read now, and why."""
    if not item_ids:
        return {}
    own = fetch_all(
        connection,
        _GoesOn,
        """
        SELECT item.id AS item_id, prefix_id FROM item JOIN prefix ON prefix.id = prefix_id
        WHERE item.id = ANY(:ids) AND prefix.own_lane_id <> 0
        """,
        ids=list(item_ids),
    )
    if not own:
        return {}
    whys = unreadable(connection, {row.prefix_id for row in own})
    return {row.item_id: whys[row.prefix_id] for row in own if row.prefix_id in whys}


def read_asked(connection: Connection, item_ids: Collection[int]) -> Requests:
    """What items ask, as `read_requests` has it; those whose prefixes can't be read are damaged, too."""
    requests = read_requests(connection, item_ids)
    whys = unreadable_of(connection, list(requests.texts))
    if not whys:
        return requests
    texts = {item_id: text for item_id, text in requests.texts.items() if item_id not in whys}
    return Requests(texts, {**requests.damaged, **whys})


def read(connection: Connection, prefix_id: int) -> StoredPrefix:
    """One prefix by its number. Raises NoKey, DamagedGroup, and PrefixForgotten: it is another row's now."""
    row = fetch_one(connection, _Row, "SELECT id, document FROM prefix WHERE id = :id", id=prefix_id)
    if row is None:
        # it is kept as long as an item goes on from it; its items go on from their lane's own row since just now
        raise PrefixForgotten(f"prefix {prefix_id} has another number now: look again")
    return StoredPrefix(whole(connection, prefix_id, row.document).encode(), prefix_id)


def asked_request(document: str | None, own: str, model_why: str | None = None) -> object:
    """A request, parsed, as its producer wrote it: from its prefix's document and its own part.

    model_why: why its lane has chosen the model, which is none of the producer's words then.
    """
    params = exact_json.loads(own if document is None else Prefix(document.encode()).splice(own.encode()))
    if model_why is not None and isinstance(params, dict):
        params.pop("model", None)
    return params


def use(connection: Connection, prefix_ids: Collection[int]) -> bool:
    """Before items go on from these: none is deleted until the transaction ends. False when one is gone already."""
    ids = sorted(prefix_ids)
    there = fetch_column(
        connection, int, "SELECT id FROM prefix WHERE id = ANY(:ids) ORDER BY id FOR KEY SHARE", ids=ids
    )
    # noted once a day only: a row that every accept writes would make them wait for each other
    execute(
        connection,
        "UPDATE prefix SET used_at = now() WHERE id = ANY(:ids) AND used_at < now() - interval '1 day'",
        ids=ids,
    )
    return len(there) == len(ids)


def keep_used(connection: Connection, prefix_id: int) -> None:
    """Before items that are there go on from it: it isn't deleted by who looked at them before.

    Raises PrefixForgotten when it is gone already.
    """
    noted = execute(connection, "UPDATE prefix SET used_at = clock_timestamp() WHERE id = :id", id=prefix_id)
    if not noted:
        raise PrefixForgotten(f"prefix {prefix_id} was deleted just now: it is stored again")


def delete_unused(connection: Connection) -> int:
    """Delete those that no item goes on from: last used more than a day before the oldest item that is kept."""
    return execute(
        connection,
        """
        DELETE FROM prefix WHERE used_at < coalesce(
            (SELECT enqueued_at FROM request ORDER BY item_id LIMIT 1), now()
        ) - interval '2 days'
        """,
    )
