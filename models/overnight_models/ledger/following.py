"""Following: items that ask what another item asks already, for somebody else, end with that one and with its outcome.

Nothing is sent for them and nothing is billed; each has its own receipt, run, tenant, callback and delivery.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger import hand_overs
from overnight_models.ledger.bodies import answers
from overnight_models.ledger.bodies.encryption import NoKey, writing_keys
from overnight_models.ledger.bodies.groups import Body, Place
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.documents import API_BATCH
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value, fetch_pairs
from overnight_models.quantities import several
from overnight_models.states import DELIVERY, ITEM, Move

_MOVES: Final[dict[str, Move]] = {"succeeded": ITEM.succeed, "failed": ITEM.fail, "canceled": ITEM.cancel}
_AT_ONCE: Final = 500
"""Followers whose answers are copied together."""


def answer(connection: Connection, leaders: Collection[int] | None = None) -> int:
    """Items whose leaders are final end as those did. Returns how many deliveries are due now.

    leaders: only those that follow one of these; None for whoever was overlooked.
    """
    if not fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM follower)"):
        return 0
    ends = fetch_pairs(
        connection,
        int,
        str,
        """
        SELECT follower.item_id, leader.state
        FROM follower JOIN item leader ON leader.id = follower.of_item_id JOIN item ON item.id = follower.item_id
        WHERE item.state = 'following' AND leader.state IN ('succeeded', 'failed', 'canceled')
          AND (CAST(:leaders AS bigint[]) IS NULL OR of_item_id = ANY(:leaders))
        ORDER BY follower.item_id
        """,
        leaders=None if leaders is None else list(leaders),
    )
    due = 0
    for state, move in _MOVES.items():
        ids = [item_id for item_id, its_leaders in ends.items() if its_leaders == state]
        if ids:
            due += _end(connection, move, ids)
    return due


def _end(connection: Connection, move: Move, item_ids: list[int]) -> int:
    """Followers end by this move. Returns how many deliveries are due now."""
    ids = fetch_column(
        connection,
        int,
        f"UPDATE item SET {move.set} WHERE id = ANY(:ids) AND state = 'following' AND {move.where} RETURNING id",
        ids=item_ids,
    )
    return sum(_answer(connection, ids[n : n + _AT_ONCE]) for n in range(0, len(ids), _AT_ONCE))


@dataclass(slots=True)
class _Copied:
    """A follower, and the answer of its leader."""

    item_id: int
    tenant_id: int | None
    message: str | bytes | None
    body_group: int | None
    body_place: int | None
    of_item_id: int
    detail: str | None

    @property
    def id(self) -> int:
        """Whose answer it is: the leader's."""
        return self.of_item_id

    @property
    def body(self) -> Body:
        """Its own copy of the answer: each is kept as long as its own item."""
        message = self.message or b""
        return Body(self.item_id, self.tenant_id, message.encode() if isinstance(message, str) else message)


class _Written(NamedTuple):
    """A follower's answer: where it is now."""

    item_id: int
    message: str | None = None
    group: int | None = None
    place: int | None = None
    size: int = 0
    detail: str | None = None


def _write_copies(connection: Connection, item_ids: list[int]) -> list[_Written]:
    """Copy the answers of leaders for their followers."""
    copied = fetch_all(
        connection,
        _Copied,
        """
        SELECT follower.item_id, item.tenant_id, outcome.message, outcome.body_group, outcome.body_place,
               follower.of_item_id, outcome.detail
        FROM follower JOIN item ON item.id = follower.item_id JOIN outcome ON outcome.item_id = follower.of_item_id
        WHERE follower.item_id = ANY(:ids)
        """,
        ids=item_ids,
    )
    if unread := answers.read(connection, copied).without_key:
        raise NoKey(
            f"answers of {several(len(unread), 'item')} need their encryption key, and others need these answers"
        )
    keys = writing_keys(connection, item_ids)
    bodies = {row.item_id: row.body for row in copied if row.message is not None}
    places = answers.write(connection, bodies.values(), keys)
    return [_written(connection, row, bodies, places, keys) for row in copied]


def _written(
    connection: Connection,
    row: _Copied,
    bodies: Mapping[int, Body],
    places: Mapping[int, Place],
    keys: Mapping[int, bytes],
) -> _Written:
    """A follower's answer as its row has it. keys: what encrypts it, by item."""
    said = answers.whole_detail(connection, row.of_item_id, row.detail)
    detail, body = answers.own_detail(keys, row.item_id, said), bodies.get(row.item_id)
    if body is None:
        # what can't be read now may be restored: it names the same place
        return _Written(row.item_id, None, row.body_group, row.body_place, detail=detail)
    if row.item_id in places:
        return _Written(row.item_id, None, *places[row.item_id], len(body.text), detail)
    message = answers.own_text(keys, row.item_id, body.text) or b""
    return _Written(row.item_id, message.decode(), size=len(body.text), detail=detail)


def _answer(connection: Connection, item_ids: list[int]) -> int:
    """Followers get the outcomes of their leaders. Returns how many deliveries are due now."""
    written = _write_copies(connection, item_ids)
    execute(
        connection,
        f"""
        INSERT INTO outcome (item_id, cost_nano, realtime_nano, attempts, ok, retryable, via, problem, detail, model,
                             api_batch_id, message, body_group, body_place, body_size)
        SELECT follower.item_id, 0, 0, outcome.attempts, ok, retryable, via, problem, own.detail, model,
               {API_BATCH}, own.message, own.body_group, own.body_place,
               CASE WHEN own.body_group IS NOT NULL THEN own.size END
        FROM unnest(CAST(:ids AS bigint[]), CAST(:messages AS text[]), CAST(:groups AS bigint[]),
                    CAST(:places AS smallint[]), CAST(:sizes AS integer[]), CAST(:details AS text[]))
             AS own (item_id, message, body_group, body_place, size, detail)
        JOIN follower ON follower.item_id = own.item_id
        JOIN whole_outcome AS outcome ON outcome.item_id = follower.of_item_id
        """,
        ids=[answer.item_id for answer in written],
        messages=[answer.message for answer in written],
        groups=[answer.group for answer in written],
        places=[answer.place for answer in written],
        sizes=[answer.size for answer in written],
        details=[answer.detail for answer in written],
    )
    return execute(
        connection,
        """
        INSERT INTO delivery (item_id, lane_id, target_id, state, size)
        SELECT item.id, lane_id, target_id, 'due', (own.size + callback_size) * 21 / 20 + 1700
        FROM unnest(CAST(:ids AS bigint[]), CAST(:sizes AS integer[])) AS own (item_id, size)
        JOIN item ON item.id = own.item_id
        WHERE target_id IS NOT NULL AND NOT cancel_wanted
        """,
        ids=[answer.item_id for answer in written],
        sizes=[answer.size for answer in written],
    )


def send_again(connection: Connection, item_ids: Collection[int]) -> int:
    """Outcomes that were delivered, or given up, are due again with the same delivery id. Returns how many."""
    hand_overs.give_rows_to_delivered(connection, item_ids)
    return execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.replay.set}, generation = generation + 1, tries = 0, error = NULL, due_at = now()
        WHERE item_id = ANY(:ids) AND {DELIVERY.replay.where}
        """,
        ids=list(item_ids),
    )
