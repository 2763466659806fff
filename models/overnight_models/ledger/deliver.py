"""Delivering: due outcomes are claimed, handed over, and recorded as taken, to be retried, or dead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection

from overnight_models.acknowledgement import Acknowledgement
from overnight_models.ledger.database import count, run
from overnight_models.ledger.documents import COLUMNS, JOINS
from overnight_models.states import DELIVERY


@dataclass(frozen=True)
class Target:
    """Where deliveries are due."""

    broker: str
    queue: str


@dataclass(frozen=True)
class Due:
    """One outcome to hand over."""

    item_id: int
    tries: int
    """Tries so far, this one included."""
    generation: int
    lane: str
    callback: Mapping[str, Any]
    """As it came with the item: `message.CallbackLine`."""
    outcome: dict[str, Any]
    """The row of an outcome, as `documents.document` takes it."""

    @property
    def acknowledgement(self) -> Acknowledgement | None:
        """What its callback shall say when it is done; None when it needn't say anything."""
        if not self.callback.get("ack"):
            return None
        return Acknowledgement(self.item_id, self.generation, self.outcome["receipt"])


def targets(connection: Connection) -> list[Target]:
    """Brokers and queues for which something is due now."""
    rows = run(
        connection,
        f"SELECT DISTINCT broker, queue FROM delivery WHERE {DELIVERY['claim'].where} AND due_at <= now()",
    )
    return [Target(**row) for row in rows]


def claim(connection: Connection, target: Target, *, limit: int, lease_s: float) -> list[Due]:
    """Take due deliveries for one queue, oldest first. They are due again if this process dies."""
    rows = run(
        connection,
        f"""
        WITH next AS (
            SELECT item_id FROM delivery
            WHERE {DELIVERY["claim"].where} AND due_at <= now() AND broker = :broker AND queue = :queue
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ), claimed AS (
            UPDATE delivery
            SET {DELIVERY["claim"].set}, tries = tries + 1, due_at = now() + make_interval(secs => :lease_s)
            FROM next WHERE delivery.item_id = next.item_id
            RETURNING delivery.item_id, tries, generation
        )
        SELECT claimed.tries, claimed.generation, request.callback, {COLUMNS}
        FROM claimed JOIN item ON item.id = claimed.item_id {JOINS}
        """,
        broker=target.broker,
        queue=target.queue,
        limit=limit,
        lease_s=lease_s,
    )
    return [
        Due(row["id"], row["tries"], row["generation"], row["lane"], orjson.loads(row["callback"]), dict(row))
        for row in rows
    ]


def taken(connection: Connection, item_ids: list[int]) -> int:
    """The broker took them, and nobody has to answer."""
    return count(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY["deliver"].set}, error = NULL
        WHERE item_id = ANY(:ids) AND {DELIVERY["deliver"].where}
        """,
        ids=item_ids,
    )


def taken_to_be_acknowledged(connection: Connection, item_ids: list[int], *, within_s: float) -> int:
    """The broker took them; their callbacks have so long to answer. One that has answered already is delivered."""
    return count(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY["await_ack"].set}, error = NULL, due_at = now() + make_interval(secs => :within_s)
        WHERE item_id = ANY(:ids) AND {DELIVERY["await_ack"].where}
        """,
        ids=item_ids,
        within_s=within_s,
    )


def put_back(connection: Connection, item_ids: list[int], why: str, *, pause_s: float) -> int:
    """They may not have got through: due again after a pause."""
    return count(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY["retry"].set}, error = :why, due_at = now() + make_interval(secs => :pause_s)
        WHERE item_id = ANY(:ids) AND {DELIVERY["retry"].where}
        """,
        ids=item_ids,
        why=why,
        pause_s=pause_s,
    )


def bury(connection: Connection, item_ids: list[int], why: str) -> int:
    """They never got through: dead, visible, and can be replayed."""
    return count(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY["bury"].set}, error = :why
        WHERE item_id = ANY(:ids) AND {DELIVERY["bury"].where}
        """,
        ids=item_ids,
        why=why,
    )


def free_lapsed(connection: Connection, most: Mapping[str, int], *, limit: int) -> tuple[int, int]:
    """Deliveries whose deliverer died, or whose callback never answered: due again, or dead after so many tries.

    most: tries by lane; one in a lane that the configuration lost has had its only one.

    Returns how many are due and how many are dead; call it again while those are `limit` together.
    """
    lapsed = run(
        connection,
        f"""
        SELECT delivery.item_id, delivery.tries < coalesce(rule.most, 1) AS again
        FROM delivery JOIN lane ON lane.id = delivery.lane_id
        LEFT JOIN unnest(CAST(:lanes AS text[]), CAST(:most AS integer[])) AS rule (lane, most) ON rule.lane = lane.name
        WHERE delivery.{DELIVERY["retry"].where} AND delivery.due_at <= now()
        ORDER BY delivery.due_at LIMIT :limit FOR UPDATE OF delivery SKIP LOCKED
        """,
        lanes=list(most),
        most=list(most.values()),
        limit=limit,
    )
    why = """
        CASE state WHEN 'sending' THEN 'its deliverer died before it knew whether the broker took it'
                   ELSE 'its broker took it, and its callback never acknowledged it' END
    """
    freed = count(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY["retry"].set}, error = {why}, due_at = now()
        WHERE item_id = ANY(:ids) AND {DELIVERY["retry"].where}
        """,
        ids=[row["item_id"] for row in lapsed if row["again"]],
    )
    buried = count(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY["bury"].set}, error = {why}
        WHERE item_id = ANY(:ids) AND {DELIVERY["bury"].where}
        """,
        ids=[row["item_id"] for row in lapsed if not row["again"]],
    )
    return freed, buried
