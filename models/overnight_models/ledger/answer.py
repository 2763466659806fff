"""Answering products: what became of a message, an item or a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

import orjson
from sqlalchemy import Connection, RowMapping

from overnight_models.ledger.database import fetch_all, fetch_one
from overnight_models.ledger.documents import COLUMNS, JOINS
from overnight_models.request.prefix import Prefix


def key_hash(key: str) -> bytes:
    """A key's hash, as it is kept."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def content_hash(params: bytes, betas: Sequence[str] | None, output: object, prefix: Prefix | None = None) -> bytes:
    """The hash of what an item asks: the same key may only stand for the same content.

    prefix: what the params go on from; cut or whole, the hash is the same.
    """
    hasher = hashlib.blake2b(params, digest_size=16) if prefix is None else prefix.content_hasher(params)
    if betas or output:
        hasher.update(b"\0%b\0%b" % (",".join(sorted(betas or ())).encode(), orjson.dumps(output)))
    return hasher.digest()


def verdicts(connection: Connection, message_ids: Sequence[UUID]) -> dict[str, str | None]:
    """The verdicts of messages; None while one isn't done, absent when it never arrived."""
    rows = fetch_all(
        connection,
        "SELECT message_id, verdict FROM inbox WHERE message_id = ANY(:ids)",
        ids=list(message_ids),
    )
    return {str(row["message_id"]): row["verdict"] for row in rows}


def find_item(connection: Connection, lane: str, key: str) -> int | None:
    """The item of that key."""
    row = fetch_one(
        connection,
        """
        SELECT item_id FROM item_key JOIN lane ON lane.id = item_key.lane_id
        WHERE lane.name = :lane AND key_hash = :key_hash
        """,
        lane=lane,
        key_hash=key_hash(key),
    )
    return None if row is None else int(row["item_id"])


def read_item(connection: Connection, item_id: int) -> RowMapping | None:
    """An item with its outcome, as `documents.document` takes it; `ok` is null when it has none."""
    return fetch_one(connection, f"SELECT {COLUMNS} FROM item {JOINS} WHERE item.id = :id", id=item_id)


def run_counts(connection: Connection, name: str) -> dict[str, int] | None:
    """Items of a run by state; None when there is no such run."""
    found = fetch_one(connection, "SELECT id FROM run WHERE name = :name", name=name)
    if found is None:
        return None
    rows = fetch_all(
        connection,
        """
        SELECT state, sum(n)::bigint AS n FROM tally
        WHERE noun = 'item' AND run_id = :run_id GROUP BY state HAVING sum(n) > 0
        """,
        run_id=found["id"],
    )
    return {row["state"]: row["n"] for row in rows}


def states(connection: Connection, lane: str, keys: Sequence[str]) -> dict[str, int]:
    """How many of these keys' items are in which state; unknown keys are left out."""
    rows = fetch_all(
        connection,
        """
        SELECT item.state, count(*) AS n
        FROM item_key JOIN lane ON lane.id = item_key.lane_id JOIN item ON item.id = item_key.item_id
        WHERE lane.name = :lane AND key_hash = ANY(:hashes) GROUP BY item.state
        """,
        lane=lane,
        hashes=[key_hash(key) for key in keys],
    )
    return {row["state"]: row["n"] for row in rows}
