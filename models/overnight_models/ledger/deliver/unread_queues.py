"""Queues that nobody reads: their oldest message stays what it is, from look to look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.deliver.targets import IS_WEBHOOK, Target
from overnight_models.ledger.rows import execute, fetch_all

_MOST: Final = 500
"""Queues that are looked at, the newest names first."""
_FRESH_S: Final = 300
"""An older look says nothing of now."""


class QueueLook(NamedTuple):
    """What one look found in a queue."""

    messages: int
    oldest: str | None
    """The same for the same message; None when there is none, or when somebody is known to listen."""


@dataclass(frozen=True)
class UnreadQueue:
    """A queue whose oldest message nobody has taken."""

    broker: str
    """'' is Overnight's own Redis."""
    queue: str
    messages: int
    unread_s: float
    """Since its oldest message was first seen there."""


def targets(connection: Connection) -> list[Target]:
    """Queues to be looked at; those of brokers that don't answer are left alone, and webhooks have none."""
    return fetch_all(
        connection,
        Target,
        f"""
        SELECT id, broker, queue FROM target
        WHERE NOT {IS_WEBHOOK} AND NOT EXISTS (
            SELECT FROM obstacle WHERE obstacle.broker = target.broker AND obstacle.queue = ''
        )
        ORDER BY id DESC LIMIT :most
        """,
        most=_MOST,
    )


def note(connection: Connection, looks: Mapping[int, QueueLook]) -> None:
    """What a look found, by target."""
    ordered = sorted(looks)
    execute(
        connection,
        """
        UPDATE target
        SET oldest_since = CASE
                WHEN look.oldest IS NULL THEN NULL WHEN target.oldest = look.oldest THEN oldest_since ELSE now()
            END,
            oldest = look.oldest, messages = look.messages, looked_at = now()
        FROM unnest(CAST(:ids AS int[]), CAST(:oldest AS text[]), CAST(:messages AS int[]))
            AS look (id, oldest, messages)
        WHERE target.id = look.id
        """,
        ids=ordered,
        oldest=[looks[target_id].oldest for target_id in ordered],
        messages=[looks[target_id].messages for target_id in ordered],
    )


def unread(connection: Connection) -> list[UnreadQueue]:
    """Queues with messages, the longest unread first."""
    return fetch_all(
        connection,
        UnreadQueue,
        """
        SELECT broker, queue, messages, extract(epoch FROM now() - oldest_since)::float AS unread_s FROM target
        WHERE oldest_since IS NOT NULL AND looked_at > now() - make_interval(secs => :fresh)
        ORDER BY oldest_since, id LIMIT 100
        """,
        fresh=_FRESH_S,
    )
