"""Senders: the run that sends to a webhook, of all workers; others look later. So its `concurrency` holds for all.

A lease, since a run may be frozen or die: it says every few seconds that it goes on.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from uuid import UUID

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import execute, fetch_column

LEASE_S: Final = 20.0
"""After so long without a word another run may send."""


def begin(connection: Connection, target_id: int, sender: UUID) -> bool:
    """Become the one that sends there. False: another one does."""
    begun = """
        UPDATE target SET sender = :sender, sender_until = clock_timestamp() + make_interval(secs => :lease_s)
        WHERE id = :target_id AND (sender IS NULL OR sender = :sender OR sender_until <= clock_timestamp())
    """
    return execute(connection, begun, target_id=target_id, sender=sender, lease_s=LEASE_S) > 0


def go_on(connection: Connection, target_ids: Collection[int], sender: UUID) -> set[int]:
    """Go on sending there. Returns where it may: what was taken from it is another's."""
    return set(
        fetch_column(
            connection,
            int,
            """
            UPDATE target SET sender_until = clock_timestamp() + make_interval(secs => :lease_s)
            WHERE id = ANY(:target_ids) AND sender = :sender RETURNING id
            """,
            target_ids=sorted(target_ids),
            sender=sender,
            lease_s=LEASE_S,
        )
    )


def end(connection: Connection, target_id: int, sender: UUID) -> None:
    """Nothing more is sent there by it."""
    ended = "UPDATE target SET sender = NULL, sender_until = NULL WHERE id = :target_id AND sender = :sender"
    execute(connection, ended, target_id=target_id, sender=sender)
