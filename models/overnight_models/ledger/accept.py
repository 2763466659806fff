"""Accepting: a message's items become rows, once per key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from overnight_models.ledger import deployment, following, measure, names, recall
from overnight_models.ledger.answer import Asked, locate
from overnight_models.ledger.bodies import reasons
from overnight_models.ledger.bodies.encryption import writing_key
from overnight_models.ledger.bodies.groups import READ_ALONE, READ_TOGETHER, Body, Place, write_groups
from overnight_models.ledger.bodies.requests import TABLE, own_callback, own_text
from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.copying import copy_json, copy_lines, copy_moment, copy_number, copy_text
from overnight_models.ledger.known import Admission, Row, judge
from overnight_models.ledger.measure import Wanted
from overnight_models.ledger.new_item import NewItem
from overnight_models.ledger.new_keys import insert_keys
from overnight_models.ledger.rows import execute, fetch_all, fetch_one, fetch_only_value
from overnight_models.request.worst_case import holds_no_text
from overnight_models.wire.verdict import Fault


@dataclass(frozen=True)
class Verdict:
    """What became of a message's items."""

    accepted: int
    known: int
    """Already there, with the same content: the same items, or those that follow them."""
    rejected: tuple[Fault, ...]
    delivered: int = 0
    """Of the known: their outcomes are delivered to these items' callbacks too, or again."""
    redone: int = 0
    """Of the accepted: they have taken the place of items that failed or were canceled."""
    stand_for: Mapping[str, str] = field(default_factory=dict)
    """Of the known: by receipt, the receipt of the follower that it is."""

    def dump(self) -> str:
        """As kept in the inbox and told to producers; what says nothing is left out."""
        document = {"accepted": self.accepted, "known": self.known, "rejected": self.rejected}
        more = {"delivered": self.delivered, "redone": self.redone, "stand_for": dict(self.stand_for)}
        return orjson.dumps(document | {name: value for name, value in more.items() if value}).decode()


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


def uncount(connection: Connection, message_ids: Collection[UUID]) -> None:
    """Their last try failed for no fault of theirs."""
    execute(
        connection,
        """
        UPDATE inbox SET tries = tries - 1 WHERE message_id = ANY(CAST(:message_ids AS uuid[])) AND verdict IS NULL
        """,
        message_ids=list(message_ids),
    )


def forget(connection: Connection, message_ids: Collection[UUID]) -> None:
    """Messages may be accepted anew: their verdicts, and their tries, are gone; the items that are in stay."""
    execute(
        connection,
        "DELETE FROM inbox WHERE message_id = ANY(CAST(:message_ids AS uuid[]))",
        message_ids=list(message_ids),
    )


def insert_items(
    connection: Connection, lane: tuple[int, str], run_id: int | None, items: Sequence[NewItem]
) -> list[Admission]:
    """Write the items whose keys are new. Returns what each of them is, in their order.

    lane: its id and its name.
    """
    lane_id = lane[0]
    if not items:
        return []
    drawn = fetch_one(
        connection, "SELECT array_agg(nextval('item_id')) AS ids FROM generate_series(1, :n)", n=len(items)
    )
    assert drawn is not None
    ids: list[int] = drawn["ids"]
    known_new = insert_keys(connection, lane_id, list(zip(items, ids, strict=True)))
    rows = [Row(item, item_id, run_id) for item, item_id in zip(items, ids, strict=True) if item_id in known_new]
    _write(connection, lane, rows)  # first: a message may have the same key twice
    admissions = [Admission()] * len(items)
    if len(known_new) < len(items):
        admissions = _known(connection, lane, run_id, list(zip(items, ids, strict=True)), known_new)
    _cancel_recalled(connection, lane, items, admissions)
    return admissions


def _known(
    connection: Connection,
    lane: tuple[int, str],
    run_id: int | None,
    numbered: Sequence[tuple[NewItem, int]],
    new: Collection[int],
) -> list[Admission]:
    """What items are of which some keys are there already; what follows or takes the place of others is written."""
    others = [(item, item_id) for item, item_id in numbered if item_id not in new]
    judged = judge(connection, lane, run_id, [item for item, _ in others], [item_id for _, item_id in others])
    _write(connection, lane, judged.rows)
    followers = [row for row in judged.rows if row.state == "following"]
    if followers:
        execute(
            connection,
            """
            INSERT INTO follower (item_id, of_item_id, receipt)
            SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:leaders AS bigint[]), CAST(:receipts AS uuid[]))
            """,
            ids=[row.id for row in followers],
            leaders=judged.leaders,
            receipts=[row.item.receipt for row in followers],
        )
        following.answer(connection, judged.leaders)
    admissions = iter(judged.admissions)
    return [Admission() if item_id in new else next(admissions) for _, item_id in numbered]


def _cancel_recalled(
    connection: Connection, lane: tuple[int, str], items: Sequence[NewItem], admissions: Sequence[Admission]
) -> None:
    """What its owner took back before it came is canceled."""
    recalled = recall.take(connection, [item.receipt for item in items])
    for item, admission in zip(items, admissions, strict=True) if recalled else ():
        if UUID(item.receipt) in recalled and admission.word != "conflicting":
            own = locate(connection, Asked(lane[1], item.key, UUID(admission.stands_for or item.receipt)))
            item_id = own.item_id or locate(connection, Asked(lane[1], item.key)).item_id
            if item_id is not None:
                cancel(connection, item_id)


def _write(connection: Connection, lane: tuple[int, str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    key = writing_key(connection, lane[1])
    _write_items(connection, lane[0], rows)
    bodies = [Body(row.id, row.item.tenant_id, row.item.params) for row in rows]
    # in a batch they are read one after the other; what is counted, or sent in real time, is read by itself
    alone = any(row.item.may_be_too_long or row.item.is_between_models or row.item.direct_at for row in rows)
    places = write_groups(connection, TABLE, bodies, key, READ_ALONE if alone else READ_TOGETHER)
    _write_requests(connection, rows, places, key)
    measure.want(
        connection,
        [
            Wanted(row.id, row.item.cuttable, row.item.is_between_models)
            for row in rows
            if (row.item.may_be_too_long or row.item.is_between_models) and row.state == "waiting"
        ],
    )


_NO_TIMES: Final = b"\\N\t\\N\t\\N\t\\N"


def _write_items(connection: Connection, lane_id: int, rows: Sequence[Row]) -> None:
    now = fetch_only_value(connection, datetime, "SELECT now()")
    waits = b"waiting\t%b" % copy_moment(now)
    copy_lines(
        connection,
        "item (id, lane_id, headers_id, run_id, tenant_id, model_id, schema_id, shape_id, prefix_id, target_id, state,"
        " waiting_since, size, callback_size, max_tokens, chain_id, deadline, give_up_at, direct_at, batch_chance)",
        b"".join(
            b"%d\t%d\t%d\t%b\t%b\t%d\t%b\t%b\t%b\t%b\t%b\t%d\t%d\t%d\t%b\t%b\n"
            % (
                row.id,
                lane_id,
                item.headers_id,
                copy_number(row.run_id),
                copy_number(item.tenant_id),
                item.model_id,
                copy_number(item.schema_id),
                copy_number(item.shape_id),
                copy_number(None if item.prefix is None else item.prefix.id),
                copy_number(item.target_id),
                waits if row.state == "waiting" else b"%b\t\\N" % row.state.encode(),
                item.size,
                len(item.callback or b""),
                item.max_tokens,
                copy_number(item.chain_id),
                # most have no time, and wait for a batch
                _NO_TIMES if item.deadline is item.give_up_at is item.direct_at is None else _times(row, now),
            )
            for row in rows
            for item in (row.item,)
        ),
    )


def _times(row: Row, now: datetime) -> bytes:
    """When it is wanted, from when on nobody needs it, since when it is to be sent in real time, a batch's chance."""
    item = row.item
    # by the database's clock, or a batch would take it while that is behind
    direct_at = None if item.direct_at is None or row.state != "waiting" else min(item.direct_at, now)
    moments = (copy_moment(item.deadline), copy_moment(item.give_up_at), copy_moment(direct_at))
    return b"%b\t%b\t%b\t%b" % (*moments, copy_number(item.batch_chance))


def _write_requests(
    connection: Connection, rows: Sequence[Row], places: Mapping[int, Place], key: bytes | None
) -> None:
    """places: where those lie that are in groups; the others lie in their own rows. key: what encrypts them."""
    shared = {} if key is not None else _shared_callbacks(connection, rows)
    copy_lines(
        connection,
        "request (item_id, receipt, key, tenant, trace_id, callback, callback_id, model_why, traceparent, tracestate,"
        " params, body_group, body_place, unbounded)",
        b"".join(
            b"%d\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\t%b\n"
            % (
                row.id,
                item.receipt.encode(),
                copy_text(item.key),
                copy_text(item.tenant),
                copy_text(item.trace_id),
                b"%b\t\\N" % copy_json(own_callback(key, item.receipt, item.callback))
                if (number := shared.get(item.callback)) is None
                else b"\\N\t%d" % number,
                copy_text(item.model_why),
                copy_text(item.traceparent),
                copy_text(item.tracestate),
                b"%b\t\\N\t\\N\t%b" % (copy_json(own_text(key, row.id, item.params)), _unbounded(item, key))
                if (place := places.get(row.id)) is None
                else b"\\N\t%d\t%d\t%b" % (*place, b"t" if holds_no_text(item.params) else b"f"),
            )
            for row in rows
            for item in (row.item,)
        ),
    )


def _unbounded(item: NewItem, key: bytes | None) -> bytes:
    """Whether something in a request has no bound: what stands in its row, and can be read there, says it itself."""
    if key is None:
        return b"\\N"
    return b"t" if holds_no_text(item.params) else b"f"


_LONGEST_SHARED: Final = 500
"""Bytes of a callback that has a number."""
_OF_ITEMS: Final = frozenset({"args", "kwargs", "context"})
"""What a callback says of its own item: that stays in the item's row, and goes with it."""


def _shared_callbacks(connection: Connection, rows: Sequence[Row]) -> dict[bytes | None, int]:
    """The numbers of callbacks that say nothing of an item: they stand in no row."""
    callbacks = {row.item.callback for row in rows if row.item.callback is not None}
    shared = {
        callback.decode(): callback
        for callback in callbacks
        if len(callback) <= _LONGEST_SHARED and not _OF_ITEMS & orjson.loads(callback).keys()
    }
    if not shared or not deployment.short(connection).rows:
        return {}
    return {shared[document]: number for document, number in names.callbacks(connection, shared).items()}


def record_verdicts(connection: Connection, verdicts: Mapping[UUID, Verdict], lanes: Mapping[UUID, str]) -> None:
    """Write the verdicts of messages, in the transaction that wrote their items. lanes: by message. Raises NoKey."""
    # many small messages have the same one
    places: dict[str, int] = {}
    kept = {
        message_id: replace(
            verdict,
            rejected=tuple(reasons.sealed(connection, lanes, message_id, fault) for fault in verdict.rejected),
        )
        if verdict.rejected
        else verdict
        for message_id, verdict in verdicts.items()
    }
    placed = [places.setdefault(verdict.dump(), len(places) + 1) for verdict in kept.values()]
    execute(
        connection,
        """
        UPDATE inbox SET verdict = (CAST(:verdicts AS text[]))[reached.place], done_at = now()
        FROM unnest(CAST(:message_ids AS uuid[]), CAST(:places AS integer[])) AS reached (message_id, place)
        WHERE inbox.message_id = reached.message_id
        """,
        message_ids=list(verdicts),
        places=placed,
        verdicts=list(places),
    )
