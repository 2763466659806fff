"""Recalling: a wish to cancel that comes before its item does, and sticks to it."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value


def exclusively(connection: Connection) -> None:
    """Wait for those that are accepting: what they did is seen then, and those who come later see what is recalled.

    Whoever accepts has looked here before it commits, and holds the table in share until then.
    """
    execute(connection, "LOCK TABLE recall IN ACCESS EXCLUSIVE MODE")


def note(connection: Connection, receipt: UUID) -> None:
    """The item of this receipt is canceled as soon as it comes."""
    execute(connection, "INSERT INTO recall (receipt) VALUES (:receipt) ON CONFLICT DO NOTHING", receipt=receipt)


def take(connection: Connection, receipts: Collection[str]) -> set[UUID]:
    """Those of the receipts that were recalled; each is told once."""
    if not fetch_only_value(connection, bool, "SELECT EXISTS (SELECT FROM recall)"):
        return set()
    recalled = fetch_column(
        connection,
        UUID,
        "DELETE FROM recall WHERE receipt = ANY(CAST(:receipts AS uuid[])) RETURNING receipt",
        receipts=list(receipts),
    )
    return set(recalled)


def forget(connection: Connection, older_than_days: int = 7) -> int:
    """Those whose items never came: their messages were lost."""
    return execute(
        connection, "DELETE FROM recall WHERE at < now() - make_interval(days => :days)", days=older_than_days
    )
