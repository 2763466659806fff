"""Prefixes: stored once by their hash, and deleted when no item that is kept goes on from them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from overnight_models import exact_json
from overnight_models.errors import TransientError
from overnight_models.ledger.database import Database
from overnight_models.ledger.rows import execute, fetch_column, fetch_one, fetch_value
from overnight_models.request.prefix import Prefix, hash_of

_HASH = re.compile(r"[0-9a-f]{64}")
_MOST_BYTES = 64_000_000
"""Documents kept in memory by one process."""


class PrefixForgotten(TransientError):
    """A prefix was deleted between its look-up and its use. The next look-up stores it again."""


@dataclass(frozen=True)
class StoredPrefix(Prefix):
    """A prefix that is in the ledger."""

    id: int


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
        self._known: dict[str, StoredPrefix] = {}
        self._bytes = 0

    def find(self, name: object) -> StoredPrefix | None:
        """The prefix of this hash, stored if it wasn't; None when nobody has it. Raises ValueError when it is none."""
        if not isinstance(name, str) or not _HASH.fullmatch(name):
            raise ValueError("`prefix` must be a SHA-256 in hex")
        prefix = self._known.get(name) or self._read(name) or self._store(name)
        if prefix is not None and name not in self._known:
            if self._bytes > _MOST_BYTES:
                self.forget()
            self._known[name] = prefix
            self._bytes += len(prefix.document)
        return prefix

    def forget(self) -> None:
        """Look them all up anew."""
        self._known.clear()
        self._bytes = 0

    def _read(self, name: str) -> StoredPrefix | None:
        with self._database.transaction() as connection:
            row = fetch_one(
                connection, _Row, "SELECT id, document FROM prefix WHERE hash = decode(:name, 'hex')", name=name
            )
        return None if row is None else StoredPrefix(row.document.encode(), row.id)

    def _store(self, name: str) -> StoredPrefix | None:
        document = self._fetch(name)
        if document is None:
            return None
        if hash_of(document) != name:
            raise ValueError("what lies in Redis under the prefix's hash has another hash")
        with self._database.transaction() as connection:
            execute(
                connection,
                "INSERT INTO prefix (hash, document) VALUES (decode(:name, 'hex'), :document) ON CONFLICT DO NOTHING",
                name=name,
                document=Prefix.of(exact_json.loads(document)).document.decode(),
            )
        return self._read(name)


def read(connection: Connection, prefix_id: int) -> StoredPrefix:
    """One prefix by its number."""
    document = fetch_value(connection, str, "SELECT document FROM prefix WHERE id = :id", id=prefix_id)
    assert document is not None, f"prefix {prefix_id} is kept as long as an item goes on from it"
    return StoredPrefix(document.encode(), prefix_id)


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
