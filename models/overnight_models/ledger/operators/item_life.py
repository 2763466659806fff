"""The life of one item: everything that the ledger knows of it, but what it asks and what was answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from overnight_models.ledger import hand_overs, prefixes
from overnight_models.ledger.bodies import answers, encryption, said
from overnight_models.ledger.bodies.requests import read_requests
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.operators import item_list
from overnight_models.ledger.operators.item_views import ItemView
from overnight_models.ledger.rows import fetch_all, fetch_one


class Sent(NamedTuple):
    """An attempt to create the batch that the item is in, or was in last."""

    id: int
    state: str
    items: int | None
    claimed_at: datetime
    let_go_at: datetime | None
    api_id: str | None
    api_created_at: datetime | None
    ended_at: datetime | None
    error: str | None


class Paid(NamedTuple):
    """An answer that was billed for an item that had one already, or a direct call that may have been billed."""

    at: datetime
    is_certain: bool
    why: str
    cost_nano: int | None
    """Where that isn't certain: at the most. None: unknown."""


class Tried(NamedTuple):
    """A try of the same receipt and key before this item, or after it."""

    item_id: int
    number: int
    """0 for the first."""
    state: str
    problem: str | None
    at: datetime
    """When it was accepted, or took the place of the one before."""
    finished_at: datetime | None
    cost_nano: int | None
    by_itself: bool
    """Nobody asked for it: `retry_invalid`."""


class Rows(NamedTuple):
    """What stands beside an item's view."""

    waiting_since: datetime | None
    held_since: datetime | None
    cancel_wanted: bool
    packed_at: datetime | None
    batch_state: str | None
    batch_reason: str | None
    calling_since: datetime | None
    """Since when it is being sent in real time."""
    let_go_at: datetime | None
    """When the bytes of that call were let go."""
    delivery_due_at: datetime | None
    delivery_generation: int | None
    follows: UUID | None
    """The receipt of the item whose outcome it gets."""
    follows_item_id: int | None
    input_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    workspace: str


@dataclass(frozen=True)
class ItemLife:
    """One item, without a word of what it asks and what was answered."""

    item: ItemView
    rows: Rows
    sent: list[Sent]
    paid: list[Paid]
    tries: list[Tried]
    """Of its receipt, this one among them, in their order; this one alone when it was never tried again."""


def life(connection: Connection, item_id: int) -> ItemLife | None:
    """Everything about one item; None when there is no such item."""
    item = item_list.view(connection, item_id)
    if item is None:
        return None
    rows = fetch_one(
        connection,
        Rows,
        f"""
        SELECT item.waiting_since, item.held_since, item.cancel_wanted, batch.packed_at, batch.state AS batch_state,
               {said.listed_in_sql("batch.reason")} AS batch_reason, direct_claim.claimed_at AS calling_since,
               direct_call.let_go_at,
               coalesce(delivery.due_at, handed.due_at) AS delivery_due_at,
               coalesce(delivery.generation, CASE WHEN {hand_overs.HANDED_OVER} THEN 0 END) AS delivery_generation,
               followed.receipt AS follows, follower.of_item_id AS follows_item_id, outcome.input_tokens,
               outcome.cache_read_tokens,
               outcome.cache_write_5m_tokens + outcome.cache_write_1h_tokens AS cache_write_tokens,
               outcome.output_tokens, outcome.thinking_tokens, headers.workspace
        FROM item JOIN headers ON headers.id = item.headers_id
        LEFT JOIN batch ON batch.id = item.batch_id
        LEFT JOIN direct_call ON direct_call.item_id = item.id
        LEFT JOIN direct_claim ON direct_claim.id = direct_call.claim_id
        LEFT JOIN delivery ON delivery.item_id = item.id
        LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
        LEFT JOIN hand_over handed ON item.id BETWEEN handed.id AND handed.last_item AND item.id = ANY(handed.item_ids)
        LEFT JOIN follower ON follower.item_id = item.id
        LEFT JOIN request followed ON followed.item_id = follower.of_item_id
        WHERE item.id = :id
        """,
        id=item_id,
    )
    assert rows is not None
    return ItemLife(
        item, rows, _sent(connection, item.batch_id), _paid(connection, item_id), _tries(connection, item_id)
    )


def _sent(connection: Connection, batch_id: int | None) -> list[Sent]:
    if batch_id is None:
        return []
    return fetch_all(
        connection,
        Sent,
        f"""
        SELECT id, state, items, claimed_at, let_go_at, api_id, api_created_at, ended_at,
               {said.listed_in_sql("error")} AS error
        FROM submission WHERE batch_id = :batch_id ORDER BY id LIMIT 50
        """,
        batch_id=batch_id,
    )


def _paid(connection: Connection, item_id: int) -> list[Paid]:
    return fetch_all(
        connection,
        Paid,
        f"""
        SELECT finished_at AS at, true AS is_certain, 'it had its answer' AS why, cost_nano
        FROM double WHERE item_id = :id
        UNION ALL
        SELECT at, false, {encryption.listed("why")}, cost_nano FROM maybe_billed WHERE item_id = :id
        ORDER BY at LIMIT 50
        """,
        id=item_id,
    )


def _tries(connection: Connection, item_id: int) -> list[Tried]:
    return fetch_all(
        connection,
        Tried,
        """
        WITH RECURSIVE earlier AS (
            SELECT CAST(:id AS bigint) AS id
            UNION ALL SELECT redo.of_item_id FROM earlier JOIN redo ON redo.item_id = earlier.id
        ), later AS (
            SELECT CAST(:id AS bigint) AS id
            UNION ALL SELECT redo.item_id FROM later JOIN redo ON redo.of_item_id = later.id
        ), tried AS (SELECT id FROM earlier UNION SELECT id FROM later)
        SELECT item.id AS item_id, coalesce(redo.number, 0) AS number, item.state, outcome.problem,
               coalesce(redo.at, request.enqueued_at) AS at, outcome.finished_at, outcome.cost_nano,
               coalesce(redo.asked_again, 0) > 0 AS by_itself
        FROM tried JOIN item ON item.id = tried.id JOIN request ON request.item_id = item.id
        LEFT JOIN redo ON redo.item_id = item.id LEFT JOIN outcome ON outcome.item_id = item.id
        ORDER BY item.id LIMIT 100
        """,
        id=item_id,
    )


@dataclass(slots=True)
class _Answered:
    """A `Body` but for what the item asks."""

    id: int
    prefix_id: int | None
    prefix: str | None
    message: str | bytes | None
    body_group: int | None
    """Where the message lies, until it is read."""
    body_place: int | None
    detail: str | None


class Body(NamedTuple):
    """What an item asks, and what was answered: for readers of bodies only."""

    params: str
    """JSON, without its prefix; or in words why it can't be read."""
    prefix: str | None
    """JSON: {"tools", "system", "messages"}, which the request goes on from."""
    message: str | None
    """JSON: the API's message."""
    detail: str | None
    """What is wrong with it, in whole."""


def body(connection: Connection, item_id: int) -> Body | None:
    """What one item asks and what was answered. The caller has made sure that it may be seen, and records it."""
    row = fetch_one(
        connection,
        _Answered,
        """
        SELECT item.id, prefix.id AS prefix_id, prefix.document AS prefix, outcome.message, outcome.body_group,
               outcome.body_place, outcome.detail
        FROM item LEFT JOIN outcome ON outcome.item_id = item.id
        LEFT JOIN prefix ON prefix.id = item.prefix_id
        WHERE item.id = :id
        """,
        id=item_id,
    )
    if row is None:
        return None
    asked = read_requests(connection, [item_id])
    text = asked.texts.get(item_id)
    params = asked.damaged[item_id] if text is None else text.decode()
    said = answers.detail_of(connection, item_id, row.detail)
    detail = answers.read(connection, [row]).why.get(item_id, said)
    message = row.message.decode() if isinstance(row.message, bytes) else row.message
    prefix = None if row.prefix_id is None else prefixes.shown(connection, row.prefix_id, row.prefix)
    return Body(params, prefix, message, detail)
