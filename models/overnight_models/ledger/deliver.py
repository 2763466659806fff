"""Delivering: due outcomes are claimed, handed over, and recorded as taken, to be retried, or dead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from overnight_models.ledger.database import count, run
from overnight_models.ledger.documents import COLUMNS, JOINS
from overnight_models.states import DELIVERY


@dataclass(frozen=True)
class Target:
    """Where deliveries are due."""

    id: int
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
    callback: str
    outcome: dict[str, Any]
    """The row of an outcome, as `documents.document` takes it."""


def targets(connection: Connection) -> list[Target]:
    """Brokers and queues for which something is due now."""
    rows = run(
        connection,
        f"""
        SELECT id, broker, queue FROM target WHERE EXISTS (
            SELECT FROM delivery WHERE target_id = target.id AND {DELIVERY["claim"].where} AND due_at <= now()
        )
        """,
    )
    return [Target(**row) for row in rows]


def claim(connection: Connection, target: Target, *, limit: int, lease_s: float) -> list[Due]:
    """Take due deliveries for one queue, oldest first. They are due again if this process dies."""
    rows = run(
        connection,
        f"""
        WITH next AS (
            SELECT item_id FROM delivery
            WHERE {DELIVERY["claim"].where} AND due_at <= now() AND target_id = :target_id
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
        target_id=target.id,
        limit=limit,
        lease_s=lease_s,
    )
    return [Due(row["id"], row["tries"], row["generation"], row["lane"], row["callback"], dict(row)) for row in rows]


def taken(connection: Connection, item_ids: list[int]) -> int:
    """The broker took them."""
    return count(
        connection,
        f"""
        UPDATE delivery SET {DELIVERY["deliver"].set}, error = NULL
        WHERE item_id = ANY(:ids) AND {DELIVERY["deliver"].where}
        """,
        ids=item_ids,
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


def free_lapsed(connection: Connection) -> int:
    """Deliveries whose deliverer died: due again."""
    return count(
        connection,
        f"UPDATE delivery SET {DELIVERY['retry'].set}, due_at = now() WHERE state = 'sending' AND due_at <= now()",
    )
