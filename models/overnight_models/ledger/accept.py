"""Accepting: a message's items become rows, once per key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection

from overnight_models.ledger.database import copy_in, count, one, run


@dataclass(frozen=True)
class NewItem:
    """One checked item, ready to be a row."""

    index: int
    """Its position in the message."""
    receipt: UUID
    key: str
    key_hash: bytes
    content_hash: bytes
    headers_id: int
    schema_id: int | None
    params: str
    size: int
    tenant: str | None
    trace_id: str | None
    callback: str | None


@dataclass(frozen=True)
class Verdict:
    """What became of a message's items."""

    accepted: int
    known: int
    """Already there, with the same content: the same items."""
    rejected: tuple[dict[str, Any], ...]
    """One `{"index", "key", "why"}` each."""

    def dump(self) -> str:
        """As kept in the inbox and told to producers."""
        return orjson.dumps({"accepted": self.accepted, "known": self.known, "rejected": self.rejected}).decode()


def begin(connection: Connection, message_id: UUID) -> tuple[int, str | None]:
    """Count a try of a message before it is parsed. Returns the tries so far, and the verdict if it has one."""
    row = one(
        connection,
        """
        INSERT INTO inbox (message_id, tries) VALUES (:message_id, 1)
        ON CONFLICT (message_id) DO UPDATE SET tries = inbox.tries + 1
        RETURNING tries, verdict
        """,
        message_id=message_id,
    )
    assert row is not None
    return row["tries"], row["verdict"]


def insert_items(
    connection: Connection, lane_id: int, run_id: int | None, items: Sequence[NewItem]
) -> tuple[int, list[NewItem], list[NewItem]]:
    """Write the items whose keys are new.

    Returns how many were written, those known with the same content, and those whose key has other content.
    """
    if not items:
        return 0, [], []
    ids = [
        row["id"]
        for row in run(connection, "SELECT nextval('item_id') AS id FROM generate_series(1, :n)", n=len(items))
    ]
    # in the order of the keys, or two messages with the same keys deadlock
    ordered = sorted(zip(items, ids, strict=True), key=lambda pair: pair[0].key_hash)
    new = {
        row["item_id"]
        for row in run(
            connection,
            """
            INSERT INTO item_key (lane_id, key_hash, item_id, content_hash)
            SELECT :lane_id, k.hash, k.id, k.content
            FROM unnest(CAST(:hashes AS bytea[]), CAST(:ids AS bigint[]), CAST(:contents AS bytea[]))
                WITH ORDINALITY AS k (hash, id, content, position)
            ORDER BY k.position
            ON CONFLICT (lane_id, key_hash) DO NOTHING
            RETURNING item_id
            """,
            lane_id=lane_id,
            hashes=[item.key_hash for item, _ in ordered],
            ids=[item_id for _, item_id in ordered],
            contents=[item.content_hash for item, _ in ordered],
        )
    }
    written = [(item, item_id) for item, item_id in zip(items, ids, strict=True) if item_id in new]
    copy_in(
        connection,
        "item (id, lane_id, headers_id, run_id, schema_id, state, size)",
        (
            (item_id, lane_id, item.headers_id, run_id, item.schema_id, "waiting", item.size)
            for item, item_id in written
        ),
    )
    copy_in(
        connection,
        "request (item_id, receipt, key, tenant, trace_id, callback, params)",
        (
            (item_id, item.receipt, item.key, item.tenant, item.trace_id, item.callback, item.params)
            for item, item_id in written
        ),
    )
    others = [item for item, item_id in zip(items, ids, strict=True) if item_id not in new]
    contents = _contents(connection, lane_id, others)
    known = [item for item in others if contents[item.key_hash] == item.content_hash]
    conflicting = [item for item in others if contents[item.key_hash] != item.content_hash]
    return len(written), known, conflicting


def _contents(connection: Connection, lane_id: int, items: Sequence[NewItem]) -> dict[bytes, bytes]:
    if not items:
        return {}
    return {
        bytes(row["key_hash"]): bytes(row["content_hash"])
        for row in run(
            connection,
            "SELECT key_hash, content_hash FROM item_key WHERE lane_id = :lane_id AND key_hash = ANY(:hashes)",
            lane_id=lane_id,
            hashes=[item.key_hash for item in items],
        )
    }


def conclude(connection: Connection, message_id: UUID, verdict: Verdict) -> None:
    """Write a message's verdict, in the transaction that wrote its items."""
    count(
        connection,
        "UPDATE inbox SET verdict = :verdict, done_at = now() WHERE message_id = :message_id",
        message_id=message_id,
        verdict=verdict.dump(),
    )
