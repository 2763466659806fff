"""Delivering: due outcomes are claimed, handed over, and recorded as taken, to be retried, or dead.

What keeps deliveries waiting without being anybody's try is in obstacles.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models import exact_json
from overnight_models.ledger import hand_overs
from overnight_models.ledger.bodies import answers
from overnight_models.ledger.bodies.encryption import KEYLESS_PAUSE_S, NoKey
from overnight_models.ledger.bodies.requests import callback_of
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver import obstacles
from overnight_models.ledger.deliver.due import Due
from overnight_models.ledger.deliver.targets import IS_WEBHOOK, LOOKED_AT, Target
from overnight_models.ledger.documents import CALLBACK, COLUMNS, JOINS, ItemRow
from overnight_models.ledger.partitions import parted
from overnight_models.ledger.rows import execute, fetch_all, fetch_only, fetch_only_value, fitting
from overnight_models.states import DELIVERY

PLACES: Final = f"""
    SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
    FROM target
    LEFT JOIN LATERAL (
        SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before FROM obstacle
        WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue) GROUP BY broker
    ) obstacle ON true
    WHERE EXISTS (
        SELECT FROM delivery WHERE {DELIVERY.claim.where} AND due_at <= now() AND delivery.target_id = target.id
    )
"""
"""Where something is due now, and whether anything stood in its way. To be followed by more conditions."""


def targets(connection: Connection) -> list[Target]:
    """Brokers and queues for which something is due now; of a broker that doesn't answer one process looks, if any."""
    mine = obstacles.take_turns(connection)
    places = f"{PLACES} AND NOT {IS_WEBHOOK} AND ({LOOKED_AT} OR target.broker = ANY(:mine))"
    return fetch_all(connection, Target, places, mine=mine)


def webhooks(connection: Connection) -> list[Target]:
    """The same of webhooks."""
    mine = obstacles.take_turns(connection, of_webhooks=True)
    places = f"{PLACES} AND {IS_WEBHOOK} AND ({LOOKED_AT} OR target.broker = ANY(:mine))"
    return fetch_all(connection, Target, places, mine=mine)


def webhooks_are_due(connection: Connection) -> bool:
    """Whether something is due for a webhook that isn't in a pause."""
    return fetch_only_value(connection, bool, f"SELECT EXISTS ({PLACES} AND {IS_WEBHOOK} AND {LOOKED_AT})")


class _Waiting(NamedTuple):
    """A delivery that is due."""

    item_id: int
    due_at: datetime
    size: int


@dataclass(slots=True)
class _Claimed(ItemRow):
    """An outcome to hand over."""

    tries: int
    generation: int
    callback: str


def claim(
    connection: Connection,
    target: Target,
    *,
    limit: int,
    max_bytes: float = math.inf,
    lease_s: float,
    keyless: dict[str, str] | None = None,
) -> list[Due]:
    """Take due deliveries for one queue, oldest first. They are due again if this process dies.

    max_bytes: about so many bytes of messages; the first is taken however large it is.
    keyless: see `take`.
    """
    waiting = fetch_all(
        connection,
        _Waiting,
        f"""
        SELECT item_id, due_at, size FROM delivery
        WHERE {DELIVERY.claim.where} AND due_at <= now() AND target_id = :target_id
        ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        """,
        target_id=target.id,
        limit=limit,
    )
    number = fitting((delivery.size for delivery in waiting), max_bytes)
    due_at = {delivery.item_id: delivery.due_at for delivery in waiting[:number]}
    return take(connection, due_at, lease_s=lease_s, keyless=keyless)


def take(
    connection: Connection,
    due_at: Mapping[int, datetime],
    *,
    lease_s: float,
    keyless: dict[str, str] | None = None,
) -> list[Due]:
    """Take deliveries that this transaction has locked. due_at: since when they are due, by item.

    Those whose encryption key isn't there are due again after a pause, no try is counted, and the others are taken.

    keyless: is told of the lanes of those, and why they wait.
    """
    claimed = [row for ids in parted(due_at) for row in _claimed(connection, ids, lease_s)]
    answers.show(connection, claimed)
    due: list[Due] = []
    waiting: dict[int, str] = {}
    for row in claimed:
        try:
            if row.without_key:
                raise NoKey(row.unreadable)
            callback = exact_json.loads(callback_of(connection, row.receipt, row.callback))
        except NoKey as error:
            waiting[row.id] = str(error)
            if keyless is not None:
                keyless.setdefault(row.lane, str(error))
            continue
        due.append(Due(row.id, row.tries, row.generation, due_at[row.id], row.lane, callback, row))
    if waiting:
        _wait_for_keys(connection, waiting)
    return due


def _claimed(connection: Connection, item_ids: list[int], lease_s: float) -> Sequence[_Claimed]:
    """Locked deliveries of one partition's items are claimed, and read."""
    return fetch_all(
        connection,
        _Claimed,
        f"""
        WITH claimed AS (
            UPDATE delivery
            SET {DELIVERY.claim.set}, tries = tries + 1, due_at = now() + make_interval(secs => :lease_s)
            WHERE item_id = ANY(:ids) RETURNING item_id, tries, generation
        )
        SELECT {COLUMNS}, claimed.tries, claimed.generation, {CALLBACK} AS callback
        FROM claimed JOIN item ON item.id = claimed.item_id {JOINS}
        -- said of each table, since that isn't passed on: else every partition is planned for, and locked
        WHERE item.id = ANY(:ids) AND request.item_id = ANY(:ids) AND outcome.item_id = ANY(:ids)
        """,
        ids=item_ids,
        lease_s=lease_s,
    )


def _wait_for_keys(connection: Connection, waiting: Mapping[int, str]) -> int:
    """They weren't tried: due after a pause, and nothing is counted. waiting: why, by item."""
    return execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.release.set}, tries = tries - 1, error = own.why,
            due_at = now() + make_interval(secs => {KEYLESS_PAUSE_S})
        FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS own (item_id, why)
        WHERE delivery.item_id = own.item_id AND delivery.{DELIVERY.release.where}
        """,
        ids=list(waiting),
        whys=list(waiting.values()),
    )


def targets_in_the_clear(connection: Connection, paced: Sequence[str] = ()) -> dict[int, Target]:
    """Queues in whose way nothing stands, by the ids of their targets; webhooks are none.

    paced: brokers that take no more than so much a second, or only at some hours: deliver looks at the clock.
    """
    targets = fetch_all(
        connection,
        Target,
        f"""
        SELECT id, broker, queue FROM target
        WHERE NOT {IS_WEBHOOK} AND NOT broker = ANY(:paced) AND NOT EXISTS (
            SELECT FROM obstacle WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
        )
        """,
        paced=list(paced),
    )
    return {target.id: target for target in targets}


class _Sent(NamedTuple):
    """What other processes may be putting somewhere."""

    messages: int
    bytes: int


def sent_by_others(connection: Connection, target: Target, *, mine: list[int]) -> tuple[int, int]:
    """Messages that other processes may be putting into that queue now, and bytes into that broker.

    Asked after the claim has been committed, and before the broker is asked for room: then each of two processes that
    fill one queue has either counted what the other claimed, or is told of it by the broker.
    """
    sent = fetch_only(
        connection,
        _Sent,
        """
        SELECT coalesce(sum(n) FILTER (WHERE queue = :queue), 0)::bigint AS messages,
               coalesce(sum(size), 0)::bigint AS bytes
        FROM (
            SELECT target_id, 1 AS n, size FROM delivery
            WHERE state = 'sending' AND due_at > '-infinity' AND NOT item_id = ANY(:mine)
            UNION ALL
            -- a hand-over's number is its first item's
            SELECT target_id, items, size FROM hand_over WHERE NOT id = ANY(:mine)
        ) sending JOIN target ON target.id = sending.target_id
        WHERE broker = :broker
        """,
        broker=target.broker,
        queue=target.queue,
        mine=mine,
    )
    return sent.messages, sent.bytes


def taken(connection: Connection, item_ids: list[int]) -> int:
    """The broker took them, and nobody has to answer."""
    return execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.deliver.set}, error = NULL
        WHERE item_id = ANY(:ids) AND {DELIVERY.deliver.where}
        """,
        ids=item_ids,
    )


def taken_to_be_acknowledged(connection: Connection, item_ids: list[int], *, within_s: float) -> int:
    """The broker took them; their callbacks have so long to answer. One that has answered already is delivered."""
    return execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.await_ack.set}, error = NULL, due_at = now() + make_interval(secs => :within_s)
        WHERE item_id = ANY(:ids) AND {DELIVERY.await_ack.where}
        """,
        ids=item_ids,
        within_s=within_s,
    )


def schedule_retry(connection: Connection, item_ids: list[int], why: str, *, pause_s: float) -> int:
    """They may not have got through: due again after a pause."""
    return execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.retry.set}, error = :why, due_at = now() + make_interval(secs => :pause_s)
        WHERE item_id = ANY(:ids) AND {DELIVERY.retry.where}
        """,
        ids=item_ids,
        why=why,
        pause_s=pause_s,
    )


def release(connection: Connection, due: Sequence[Due]) -> int:
    """They were not tried after all: due as before, and nothing is counted."""
    return execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.release.set}, tries = tries - 1, due_at = before.due_at
        FROM unnest(CAST(:ids AS bigint[]), CAST(:due_ats AS timestamptz[])) AS before (item_id, due_at)
        WHERE delivery.item_id = before.item_id AND delivery.{DELIVERY.release.where}
        """,
        ids=[delivery.item_id for delivery in due],
        due_ats=[delivery.due_at for delivery in due],
    )


def dead_letter(connection: Connection, item_ids: list[int], why: str) -> int:
    """They never got through: dead, visible, and can be replayed."""
    return execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.dead_letter.set}, error = :why
        WHERE item_id = ANY(:ids) AND {DELIVERY.dead_letter.where}
        """,
        ids=item_ids,
        why=why,
    )


class _Lapsed(NamedTuple):
    """A delivery whose time is over."""

    item_id: int
    again: bool
    """It may be tried once more."""


_WHY_LAPSED: Final = """
        CASE state WHEN 'sending' THEN 'its deliverer died before it knew whether the broker took it'
                   ELSE 'its broker took it, and its callback never acknowledged it' END
"""


def free_lapsed(
    connection: Connection,
    max_tries: Mapping[str, int],
    max_tries_of_others: int,
    *,
    by_broker: Mapping[str, int],
    limit: int,
) -> tuple[int, int]:
    """Deliveries whose deliverer died, or whose callback never answered: due again, or dead after so many tries.

    max_tries: by lane; max_tries_of_others: of lanes that the configuration has lost. by_broker: goes before both.

    Returns how many are due and how many are dead; call it again while those are `limit` together.
    """
    hand_overs.give_rows_to_lapsed(connection)
    lapsed = _lapsed(connection, max_tries, max_tries_of_others, by_broker, limit)
    if not lapsed:
        return 0, 0
    freed = execute(
        connection,
        f"""
        -- what was sent together had one lease: it keeps its end, by which a webhook's group is known
        UPDATE delivery
        SET {DELIVERY.retry.set}, error = {_WHY_LAPSED}, due_at = CASE state WHEN 'sending' THEN due_at ELSE now() END
        WHERE item_id = ANY(:ids) AND {DELIVERY.retry.where}
        """,
        ids=[delivery.item_id for delivery in lapsed if delivery.again],
    )
    dead = execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.dead_letter.set}, error = {_WHY_LAPSED}
        WHERE item_id = ANY(:ids) AND {DELIVERY.dead_letter.where}
        """,
        ids=[delivery.item_id for delivery in lapsed if not delivery.again],
    )
    return freed, dead


def _lapsed(
    connection: Connection,
    max_tries: Mapping[str, int],
    max_tries_of_others: int,
    by_broker: Mapping[str, int],
    limit: int,
) -> Sequence[_Lapsed]:
    """Deliveries whose lease is over, locked, the longest over first."""
    # each of the two states has an index of its own: delivery_sending, delivery_unanswered
    return fetch_all(
        connection,
        _Lapsed,
        """
        SELECT delivery.item_id,
               delivery.tries < coalesce(place.max_tries, rule.max_tries, :max_tries_of_others) AS again
        FROM delivery JOIN lane ON lane.id = delivery.lane_id JOIN target ON target.id = delivery.target_id
        LEFT JOIN unnest(CAST(:brokers AS text[]), CAST(:of_brokers AS integer[])) AS place (broker, max_tries)
            ON place.broker = target.broker
        LEFT JOIN unnest(CAST(:lanes AS text[]), CAST(:max_tries AS integer[])) AS rule (lane, max_tries)
            ON rule.lane = lane.name
        WHERE (state = 'sending' AND due_at <= now()) OR (state = 'awaiting_ack' AND due_at <= now())
        ORDER BY delivery.due_at LIMIT :limit FOR UPDATE OF delivery SKIP LOCKED
        """,
        lanes=list(max_tries),
        max_tries=list(max_tries.values()),
        max_tries_of_others=max_tries_of_others,
        brokers=list(by_broker),
        of_brokers=list(by_broker.values()),
        limit=limit,
    )
