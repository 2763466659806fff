"""Obstacles: what keeps deliveries from a broker, which doesn't answer, or from a queue, which is full.

It is the broker's trouble and not each delivery's: nothing is claimed or counted while it lasts. Only when it lasts
longer than a lane's patience its deliveries are given up, visibly, and can be replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_all, fetch_column, fetch_only_value
from overnight_models.states import DELIVERY

_LONGEST_PAUSE_S: Final = 60
_TURN_S: Final = 15
"""Longer than one look takes."""
GONE_S: Final = 365 * 86400.0
"""A pause that is longer than that ends only by somebody's word."""
_FRESH_S: Final = 300
"""An obstacle that nobody has seen for so long may be gone: whoever was to look may have been down."""


@dataclass(frozen=True)
class Obstacle:
    """Something that deliveries wait for."""

    broker: str
    """Its name in the configuration; '' is Overnight's own Redis."""
    queue: str
    """'' when it is all of the broker."""
    since: datetime
    lasted_s: float
    failures: int
    """How often it was found so."""
    why: str
    paused_for_s: float = 0.0
    """Until somebody looks again; less than 0 when that is over."""


def unreachable_brokers(connection: Connection) -> list[Obstacle]:
    """Brokers that don't answer, those that have been away longest first."""
    return _obstacles(connection, "queue = ''")


def full_queues(connection: Connection) -> list[Obstacle]:
    """Queues that are full (or whose broker is), since their last delivery; the oldest first."""
    return _obstacles(connection, "queue <> ''")


def _obstacles(connection: Connection, which: str) -> list[Obstacle]:
    return fetch_all(
        connection,
        Obstacle,
        f"""
        SELECT broker, queue, since, extract(epoch FROM now() - since)::float AS lasted_s, failures, why,
               extract(epoch FROM not_before - now())::float AS paused_for_s
        FROM obstacle WHERE {which} ORDER BY since, broker, queue
        """,
    )


def away(connection: Connection, broker: str, why: str) -> None:
    """A broker doesn't answer: nothing is tried on it for a while, which grows to a minute."""
    execute(
        connection,
        """
        INSERT INTO obstacle (broker, queue, why, not_before) VALUES (:broker, '', :why, now() + interval '1 second')
        ON CONFLICT (broker, queue) DO UPDATE
        SET why = excluded.why, seen_at = now(), failures = obstacle.failures + 1,
            not_before = now() + make_interval(secs => least(:longest, 2.0 ^ least(obstacle.failures, 10)))
        """,
        broker=broker,
        why=why,
        longest=_LONGEST_PAUSE_S,
    )


def full(connection: Connection, broker: str, queue: str, why: str) -> bool:
    """A broker answers, and has no room in a queue. True when that is news."""
    execute(connection, "DELETE FROM obstacle WHERE broker = :broker AND queue = ''", broker=broker)
    failures = fetch_only_value(
        connection,
        int,
        """
        INSERT INTO obstacle (broker, queue, why) VALUES (:broker, :queue, :why)
        ON CONFLICT (broker, queue) DO UPDATE
        SET why = excluded.why, seen_at = now(), not_before = now(), failures = obstacle.failures + 1
        RETURNING failures
        """,
        broker=broker,
        queue=queue,
        why=why,
    )
    return failures == 1


def overcome(connection: Connection, broker: str, queue: str) -> None:
    """Something was taken there."""
    execute(
        connection,
        "DELETE FROM obstacle WHERE broker = :broker AND queue IN ('', :queue)",
        broker=broker,
        queue=queue,
    )


def pause(connection: Connection, broker: str, why: str, *, pause_s: float) -> None:
    """It is away, and has said for how long: nothing is tried there before."""
    execute(
        connection,
        """
        INSERT INTO obstacle (broker, queue, why, not_before)
        VALUES (:broker, '', :why, now() + make_interval(secs => :pause_s))
        ON CONFLICT (broker, queue) DO UPDATE
        SET why = excluded.why, seen_at = now(), failures = obstacle.failures + 1, not_before = excluded.not_before
        """,
        broker=broker,
        why=why,
        pause_s=pause_s,
    )


def look_again(connection: Connection, broker: str) -> bool:
    """Let a broker be tried at once, whatever pause it is in. False when nothing stood in its way."""
    resumed = "UPDATE obstacle SET not_before = now() WHERE broker = :broker AND queue = ''"
    return execute(connection, resumed, broker=broker) > 0


def take_turns(connection: Connection, *, of_webhooks: bool = False) -> list[str]:
    """Brokers that are to be looked after again, by this process: one that is frozen keeps only one waiting."""
    return fetch_column(
        connection,
        str,
        """
        UPDATE obstacle SET not_before = now() + make_interval(secs => :turn)
        WHERE queue = '' AND not_before <= now() AND starts_with(broker, 'webhook:') = :of_webhooks RETURNING broker
        """,
        turn=_TURN_S,
        of_webhooks=of_webhooks,
    )


class _Old(NamedTuple):
    """A delivery that has waited for too long, and behind what."""

    item_id: int
    why: str


def give_up(
    connection: Connection,
    patience_s: Mapping[str, float],
    of_others_s: float,
    *,
    by_broker: Mapping[str, float],
    limit: int,
) -> int:
    """Give up what has been due, behind an obstacle that has lasted, for longer than its lane is patient.

    Both are asked for: what is due since yesterday may have waited for deliverers that were down and not for its
    broker. patience_s: by lane; of_others_s: of lanes that the configuration has lost. by_broker: goes before both.

    Returns how many; call it again while that is `limit`.
    """
    old = fetch_all(
        connection,
        _Old,
        f"""
        SELECT delivery.item_id, obstacle.why
        FROM obstacle
        JOIN target ON target.broker = obstacle.broker AND obstacle.queue IN ('', target.queue)
        JOIN delivery ON delivery.target_id = target.id
        JOIN lane ON lane.id = delivery.lane_id
        LEFT JOIN unnest(CAST(:lanes AS text[]), CAST(:patience AS float[])) AS rule (lane, patience_s)
            ON rule.lane = lane.name
        LEFT JOIN unnest(CAST(:brokers AS text[]), CAST(:of_brokers AS float[])) AS place (broker, patience_s)
            ON place.broker = target.broker
        WHERE delivery.{DELIVERY.give_up.where} AND obstacle.seen_at > now() - make_interval(secs => :fresh)
          AND obstacle.since < now() - make_interval(secs => :shortest)
          AND delivery.due_at < now() - make_interval(secs => :shortest)
          AND greatest(obstacle.since, delivery.due_at)
              < now() - make_interval(secs => coalesce(place.patience_s, rule.patience_s, :of_others_s))
        LIMIT :limit FOR UPDATE OF delivery SKIP LOCKED
        """,
        lanes=list(patience_s),
        patience=list(patience_s.values()),
        brokers=list(by_broker),
        of_brokers=list(by_broker.values()),
        shortest=min(of_others_s, *patience_s.values(), *by_broker.values()),
        of_others_s=of_others_s,
        fresh=_FRESH_S,
        limit=limit,
    )
    return execute(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY.give_up.set}, error = 'given up after waiting for too long: ' || old.why
        FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS old (item_id, why)
        WHERE delivery.item_id = old.item_id AND delivery.{DELIVERY.give_up.where}
        """,
        ids=[delivery.item_id for delivery in old],
        whys=[delivery.why for delivery in old],
    )


def forget(connection: Connection) -> int:
    """Obstacles that nothing waits for any more; nobody would ever find out that they are gone."""
    return execute(
        connection,
        """
        DELETE FROM obstacle WHERE NOT EXISTS (
            SELECT FROM delivery JOIN target ON target.id = delivery.target_id
            WHERE delivery.state = 'due' AND target.broker = obstacle.broker
              AND obstacle.queue IN ('', target.queue)
        )
        """,
    )
