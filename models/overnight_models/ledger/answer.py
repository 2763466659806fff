"""Answering products: what became of a message, an item or a run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from overnight_models import exact_json
from overnight_models.ledger.bodies import answers, reasons
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import fetch_binary
from overnight_models.ledger.documents import COLUMNS, JOINS, ItemRow
from overnight_models.ledger.rows import fetch_all, fetch_one, fetch_pairs, fetch_value, fitting
from overnight_models.ledger.run_items import ORDER, items_of
from overnight_models.request.prefix import Prefix
from overnight_models.wire.verdict import VerdictDocument


def key_hash(key: str) -> bytes:
    """A key's hash, as it is kept."""
    return hashlib.blake2b(key.encode(), digest_size=16).digest()


def content_hash(params: bytes, betas: Sequence[str] | None, output: object, prefix: Prefix | None = None) -> bytes:
    """The hash of what an item asks: the same key may only stand for the same content.

    prefix: what the params go on from; cut or whole, the hash is the same.
    """
    hasher = hashlib.blake2b(params, digest_size=16) if prefix is None else prefix.content_hasher(params)
    if betas or output:
        hasher.update(b"\0%b\0%b" % (",".join(sorted(betas or ())).encode(), exact_json.dumps(output)))
    return hasher.digest()


class _Message(NamedTuple):
    """A message that came."""

    message_id: UUID
    verdict: str | None


def verdicts(connection: Connection, message_ids: Sequence[UUID]) -> dict[str, str | None]:
    """The verdicts of messages; None while one isn't done, absent when it never arrived. Raises NoKey."""
    inbox = fetch_all(
        connection,
        _Message,
        "SELECT message_id, verdict FROM inbox WHERE message_id = ANY(:ids)",
        ids=list(message_ids),
    )
    return {
        str(message_id): None if verdict is None else reasons.opened(connection, message_id, verdict)
        for message_id, verdict in inbox
    }


class Asked(NamedTuple):
    """Which item somebody asks about: by its key, or by a receipt."""

    lane: str
    key: str
    receipt: UUID | None = None
    """The producer's id for the item; None when it is asked for by its key alone."""
    message_id: UUID | None = None
    """The message that the receipt's item travelled in."""


class Standing(NamedTuple):
    """Where an item is that somebody asks about; all is None when nobody knows it."""

    item_id: int | None = None
    rejected: str | None = None
    """Why it was turned down."""
    not_yet: str | None = None
    """Why nothing can be said about it yet."""


_UNSEEN: Final = (
    "no worker has seen its message: it is on its way, or was lost with Redis. Enqueue the same again, it's free"
    " (what became of a message is known for 7 days; after that ask by the key)"
)


def locate(connection: Connection, asked: Asked) -> Standing:
    """The item of a receipt, and no other; or the item of a key, where that is all that was asked for.

    The receipt of an item that was turned down isn't answered with the item that has its key. One whose key was known
    already, with the same content and wishes, stands for that same item.
    """
    row = _of_key(connection, asked)
    if asked.receipt is None or (row is not None and row.receipt == asked.receipt):
        return Standing(None if row is None else row.item_id)
    follower = _follower(connection, asked.receipt)
    if follower is not None:
        return Standing(follower)
    known = {} if asked.message_id is None else verdicts(connection, [asked.message_id])
    if not known:
        return Standing(not_yet=_UNSEEN)
    verdict = known[str(asked.message_id)]
    if verdict is None:
        return Standing(not_yet="its message is being accepted")
    document: VerdictDocument = orjson.loads(verdict)
    why = _turned_down(document, asked)
    if why is not None:
        return Standing(rejected=why)
    stands_for = document.get("stand_for", {}).get(str(asked.receipt))
    if stands_for is not None:
        return Standing(_follower(connection, UUID(stands_for)))
    # it was committed with its verdict, and that may have been after it was looked for above
    follower = _follower(connection, asked.receipt)
    if follower is not None:
        return Standing(follower)
    row = _of_key(connection, asked)
    return Standing(None if row is None else row.item_id)


class _OfKey(NamedTuple):
    """The item that has a key, and the receipt that it came with."""

    item_id: int
    receipt: UUID | None


def _of_key(connection: Connection, asked: Asked) -> _OfKey | None:
    return fetch_one(
        connection,
        _OfKey,
        """
        SELECT item_key.item_id, request.receipt
        FROM item_key JOIN lane ON lane.id = item_key.lane_id
        LEFT JOIN request ON request.item_id = item_key.item_id
        WHERE lane.name = :lane AND key_hash = :key_hash
        """,
        lane=asked.lane,
        key_hash=key_hash(asked.key),
    )


def _follower(connection: Connection, receipt: UUID) -> int | None:
    """The item of that receipt, where it follows another."""
    return fetch_value(connection, int, "SELECT item_id FROM follower WHERE receipt = :receipt", receipt=receipt)


def _turned_down(verdict: VerdictDocument, asked: Asked) -> str | None:
    """Why a message's verdict turns the receipt's item down; None when it doesn't."""
    nothing_accepted = verdict["accepted"] + verdict["known"] == 0
    for fault in verdict["rejected"]:
        named = fault.get("id") or fault["key"]  # those of an older version name no ids
        if named in (str(asked.receipt), asked.key) or (named is None and nothing_accepted):
            return fault["why"]
    return None


class _Id(NamedTuple):
    item_id: int


@dataclass(slots=True)
class _WithGroup(ItemRow):
    """An item with its outcome, and the group in which its answer lies, as its row has it."""

    packed: bytes | None = field(kw_only=True)


def asked_for(connection: Connection, asked: Asked) -> tuple[Standing, ItemRow | None]:
    """What somebody asks about: where it is, and the item with its outcome, if there is one.

    Quick where the key's item is the one that is meant, as it is for most. See `locate` for the others.

    Raises NoKey while its encryption key isn't there.
    """
    row = _with_group(connection, asked)
    if row is not None and asked.receipt in (None, row.receipt):
        at_hand = {} if row.body_group is None or row.packed is None else {row.body_group: row.packed}
        answers.show_all(connection, [row], at_hand)
        return Standing(row.id), row
    standing = locate(connection, asked)
    return standing, None if standing.item_id is None else read_item(connection, standing.item_id)


def _with_group(connection: Connection, asked: Asked) -> _WithGroup | None:
    """The item that has a key.

    By two statements: one that finds the id too would be planned for every partition of four tables.
    """
    of_key = fetch_binary(
        connection,
        _Id,
        """
        SELECT item_id FROM item_key
        WHERE lane_id = (SELECT lane.id FROM lane WHERE lane.name = %s) AND key_hash = %s
        """,
        [asked.lane, key_hash(asked.key)],
    )
    if not of_key:
        return None
    rows = fetch_binary(
        connection,
        _WithGroup,
        f"""
        SELECT {COLUMNS}, answer_group.packed
        FROM item {JOINS}
        LEFT JOIN answer_group ON answer_group.id = outcome.body_group AND outcome.message IS NULL
        WHERE item.id = %s
        """,
        [of_key[0].item_id],
    )
    return rows[0] if rows else None


def read_item(connection: Connection, item_id: int) -> ItemRow | None:
    """An item with its outcome, if it has one. Raises NoKey while its encryption key isn't there."""
    row = fetch_one(connection, ItemRow, f"SELECT {COLUMNS} FROM item {JOINS} WHERE item.id = :id", id=item_id)
    if row is not None:
        answers.show_all(connection, [row])
    return row


_PAGE_ITEMS: Final = 500
_PAGE_BYTES: Final = 4_000_000
"""Of answers in one page: it lies in Redis until it is read."""


class _Size(NamedTuple):
    """How large an item's answer is."""

    id: int
    size: int
    """Bytes."""


def outcomes_page(
    connection: Connection, *, run: str, lane: str | None, problem: str | None, after: int, limit: int = _PAGE_ITEMS
) -> tuple[list[ItemRow], int | None]:
    """The next outcomes of a run, and where the page after it begins. Raises NoKey while an encryption key isn't there.

    problem: only with this problem; "any" for every one that isn't ok.
    after: where the page before it ended; 0 at first. None follows the last page.
    limit: so many at most, and about 4 MB of answers.
    """
    sizes = fetch_all(
        connection,
        _Size,
        f"""
        SELECT item.id, coalesce(outcome.body_size, octet_length(outcome.message), 0) AS size
        FROM {items_of(first=":after")} JOIN outcome ON outcome.item_id = item.id
        WHERE item.id > :after
          AND item.state <> 'redone'
          AND (CAST(:lane AS text) IS NULL OR item.lane_id = (SELECT id FROM lane WHERE name = :lane))
          -- the narrow row first: few items have a problem, and none that succeeded
          AND (CAST(:problem AS text) IS NULL OR item.state <> 'succeeded')
          AND (CAST(:problem AS text) IS NULL OR outcome.problem = :problem
               OR :problem = 'any' AND outcome.problem IS NOT NULL)
        ORDER BY {ORDER} LIMIT :most
        """,
        run=run,
        lane=lane,
        problem=problem,
        after=after,
        most=limit,
    )
    ids = [item.id for item in sizes[: fitting((item.size for item in sizes), _PAGE_BYTES)]]
    rows = fetch_all(
        connection, ItemRow, f"SELECT {COLUMNS} FROM item {JOINS} WHERE item.id = ANY(:ids) ORDER BY item.id", ids=ids
    )
    answers.show_all(connection, rows)
    is_last = len(ids) == len(sizes) < limit
    return rows, None if is_last else ids[-1]


def run_counts(connection: Connection, name: str) -> dict[str, int] | None:
    """Items of a run by state; None when there is no such run. One that was tried again counts once."""
    run_id = fetch_value(connection, int, "SELECT id FROM run WHERE name = :name", name=name)
    if run_id is None:
        return None
    return fetch_pairs(
        connection,
        str,
        int,
        """
        SELECT state, sum(n)::bigint AS n FROM tally
        WHERE noun = 'item' AND run_id = :run_id AND state <> 'redone' GROUP BY state HAVING sum(n) > 0
        """,
        run_id=run_id,
    )


def states(connection: Connection, lane: str, keys: Sequence[str]) -> dict[str, int]:
    """How many of these keys' items are in which state; unknown keys are left out."""
    return fetch_pairs(
        connection,
        str,
        int,
        """
        SELECT item.state, count(*) AS n
        FROM item_key JOIN lane ON lane.id = item_key.lane_id JOIN item ON item.id = item_key.item_id
        WHERE lane.name = :lane AND key_hash = ANY(:hashes) GROUP BY item.state
        """,
        lane=lane,
        hashes=[key_hash(key) for key in keys],
    )
