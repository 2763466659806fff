"""Accepting: a message's items become rows, once per key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple
from uuid import UUID

import orjson
from sqlalchemy import Connection

from overnight_models.ledger import measure
from overnight_models.ledger.database import copy_lines, copy_number, copy_text, execute, fetch_all, fetch_one
from overnight_models.ledger.prefixes import StoredPrefix, whole_request


class NewItem(NamedTuple):
    """One checked item, ready to be a row."""

    position: int
    """In its message, counted from 0."""
    receipt: str
    """A UUID."""
    key: str
    key_hash: bytes
    """16 bytes."""
    content_hash: bytes
    """16 bytes, of all that makes it the same item; in another order of fields the same content may differ in it."""
    headers_id: int
    tenant_id: int | None
    model_id: int
    schema_id: int | None
    shape_id: int | None
    target_id: int | None
    prefix: StoredPrefix | None
    params: bytes
    """JSON; what goes on from the prefix."""
    size: int
    """Bytes of the whole request."""
    max_tokens: int
    tenant: str | None
    trace_id: str | None
    callback: bytes | None
    """JSON."""
    may_be_too_long: bool = False
    """It is to be counted before it is packed."""
    cuttable: str | None = None
    """The place of the text that may be cut then."""


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


class Begun(NamedTuple):
    """A message of which another try begins."""

    tries: int
    """This one included."""
    verdict: str | None
    """What became of it, when it was done before."""


def begin(connection: Connection, message_ids: Collection[UUID]) -> dict[UUID, Begun]:
    """Count a try of messages before they are parsed."""
    # nobody waits for a disk: a server that crashes now forgets a try, and nothing else
    execute(connection, "SET LOCAL synchronous_commit = off")
    counted = fetch_all(
        connection,
        """
        INSERT INTO inbox (message_id, tries)
        SELECT message_id, 1 FROM unnest(CAST(:message_ids AS uuid[])) AS message_id ORDER BY message_id
        ON CONFLICT (message_id) DO UPDATE SET tries = inbox.tries + 1
        RETURNING message_id, tries, verdict
        """,
        message_ids=list(message_ids),
    )
    return {row["message_id"]: Begun(row["tries"], row["verdict"]) for row in counted}


Fate = Literal["new", "known", "conflicting"]
"""What an item is: its key is new, is there with the same content, or is there with another."""


def insert_items(connection: Connection, lane_id: int, run_id: int | None, items: Sequence[NewItem]) -> list[Fate]:
    """Write the items whose keys are new. Returns what each of them is, in their order."""
    if not items:
        return []
    drawn = fetch_one(
        connection, "SELECT array_agg(nextval('item_id')) AS ids FROM generate_series(1, :n)", n=len(items)
    )
    assert drawn is not None
    ids: list[int] = drawn["ids"]
    # in the order of the keys, or two messages with the same keys deadlock
    ordered = sorted(zip(items, ids, strict=True), key=lambda pair: pair[0].key_hash)
    new = fetch_all(
        connection,
        """
        INSERT INTO item_key (lane_id, key_hash, item_id, content_hash)
        SELECT :lane_id, substring(CAST(:hashes AS bytea) FROM n * 16 - 15 FOR 16), (CAST(:ids AS bigint[]))[n],
               substring(CAST(:contents AS bytea) FROM n * 16 - 15 FOR 16)
        FROM generate_series(1, :n) AS n ORDER BY n
        ON CONFLICT (lane_id, key_hash) DO NOTHING
        RETURNING item_id
        """,
        lane_id=lane_id,
        n=len(items),
        # each as one value: an array of them costs more than the insert
        hashes=b"".join(item.key_hash for item, _ in ordered),
        ids=[item_id for _, item_id in ordered],
        contents=b"".join(item.content_hash for item, _ in ordered),
    )
    written = list(zip(items, ids, strict=True))
    known_new = {row["item_id"] for row in new}
    if len(new) < len(items):
        written = [(item, item_id) for item, item_id in written if item_id in known_new]
    _write(connection, lane_id, run_id, written)
    measure.want(connection, [(item_id, item.cuttable) for item, item_id in written if item.may_be_too_long])
    if len(new) == len(items):
        return ["new"] * len(items)
    others = [item for item, item_id in zip(items, ids, strict=True) if item_id not in known_new]
    compared = iter(_compared(connection, lane_id, others))
    return ["new" if item_id in known_new else next(compared) for item_id in ids]


def _write(connection: Connection, lane_id: int, run_id: int | None, written: list[tuple[NewItem, int]]) -> None:
    now = fetch_one(connection, "SELECT now()::text AS now")
    assert now is not None
    since, run_text = now["now"].encode(), copy_number(run_id)
    copy_lines(
        connection,
        "item (id, lane_id, headers_id, run_id, tenant_id, model_id, schema_id, shape_id, prefix_id, target_id, state,"
        " waiting_since, size, callback_size, max_tokens)",
        b"".join(
            b"%d\t%d\t%d\t%b\t%b\t%d\t%b\t%b\t%b\t%b\twaiting\t%b\t%d\t%d\t%d\n"
            % (
                item_id,
                lane_id,
                item.headers_id,
                run_text,
                copy_number(item.tenant_id),
                item.model_id,
                copy_number(item.schema_id),
                copy_number(item.shape_id),
                copy_number(None if item.prefix is None else item.prefix.id),
                copy_number(item.target_id),
                since,
                item.size,
                len(item.callback or b""),
                item.max_tokens,
            )
            for item, item_id in written
        ),
    )
    copy_lines(
        connection,
        "request (item_id, receipt, key, tenant, trace_id, callback, params)",
        b"".join(
            b"%d\t%b\t%b\t%b\t%b\t%b\t%b\n"
            % (
                item_id,
                item.receipt.encode(),
                copy_text(item.key),
                copy_text(item.tenant),
                copy_text(item.trace_id),
                copy_text(item.callback),
                copy_text(item.params),
            )
            for item, item_id in written
        ),
    )


def _compared(connection: Connection, lane_id: int, items: Sequence[NewItem]) -> list[Fate]:
    """What items are whose keys are there already."""
    found = fetch_all(
        connection,
        """
        SELECT item_key.key_hash, content_hash, item.headers_id, item.schema_id, request.params,
               prefix.document AS prefix
        FROM item_key
        LEFT JOIN item ON item.id = item_key.item_id LEFT JOIN request ON request.item_id = item_key.item_id
        LEFT JOIN prefix ON prefix.id = item.prefix_id
        WHERE item_key.lane_id = :lane_id AND item_key.key_hash = ANY(:hashes)
        """,
        lane_id=lane_id,
        hashes=[item.key_hash for item in items],
    )
    there = {bytes(row["key_hash"]): row for row in found}

    def is_same(item: NewItem) -> bool:
        row = there[item.key_hash]
        if bytes(row["content_hash"]) == item.content_hash:
            return True
        # the same fields in another order are the same content
        return (
            row["params"] is not None
            and (row["headers_id"], row["schema_id"]) == (item.headers_id, item.schema_id)
            and whole_request(row["prefix"], row["params"])
            == whole_request(None if item.prefix is None else item.prefix.document.decode(), item.params.decode())
        )

    return ["known" if is_same(item) else "conflicting" for item in items]


def classify_create_reply(connection: Connection, verdicts: Mapping[UUID, Verdict]) -> None:
    """Write the verdicts of messages, in the transaction that wrote their items."""
    execute(
        connection,
        """
        UPDATE inbox SET verdict = reached.verdict, done_at = now()
        FROM unnest(CAST(:message_ids AS uuid[]), CAST(:verdicts AS text[])) AS reached (message_id, verdict)
        WHERE inbox.message_id = reached.message_id
        """,
        message_ids=list(verdicts),
        verdicts=[verdict.dump() for verdict in verdicts.values()],
    )
