"""What relays say of the inboxes that they take on: the ledger keeps it, so that everybody who looks there sees it."""

from __future__ import annotations

from dataclasses import dataclass

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.relays.inbox import Look
from overnight_models.ledger.rows import execute, fetch_all


@dataclass(frozen=True)
class RelayView:
    """One relay, at the moment of reading; several processes may be it."""

    name: str
    silent_s: float
    """Since one of its processes last said something."""
    waiting: int
    """Messages in its inbox at the last look."""
    oldest_s: float
    """How long the first of them had waited then."""
    aside: int
    """Messages that were put aside."""
    aside_why: str | None
    items: int
    """Items that it has handed over."""
    failing_s: float | None = None
    """Since when it can't take anything on; None: it can."""
    failing_why: str | None = None


def note_items(connection: Connection, name: str, items: int) -> None:
    """A relay hands over so many items, in this transaction."""
    execute(
        connection,
        """
        INSERT INTO relay (name, said_at, waiting, oldest_s, aside, items) VALUES (:name, now(), 0, 0, 0, :items)
        ON CONFLICT (name) DO UPDATE SET items = relay.items + excluded.items
        """,
        name=name,
        items=items,
    )


def note_look(connection: Connection, name: str, look: Look) -> None:
    """A relay has looked, and goes on."""
    execute(
        connection,
        """
        INSERT INTO relay (name, said_at, waiting, oldest_s, aside, aside_why, items)
        VALUES (:name, now(), :waiting, :oldest_s, :aside, :aside_why, 0)
        ON CONFLICT (name) DO UPDATE
        SET said_at = now(), waiting = excluded.waiting, oldest_s = excluded.oldest_s, aside = excluded.aside,
            aside_why = excluded.aside_why, failing_since = NULL, failing_why = NULL
        """,
        name=name,
        waiting=look.waiting,
        oldest_s=look.oldest_s or 0.0,
        aside=look.aside,
        aside_why=look.aside_why,
    )


def note_failure(connection: Connection, name: str, why: str) -> None:
    """A relay can't take anything on."""
    execute(
        connection,
        """
        INSERT INTO relay (name, said_at, waiting, oldest_s, aside, items, failing_since, failing_why)
        VALUES (:name, now(), 0, 0, 0, 0, now(), :why)
        ON CONFLICT (name) DO UPDATE
        SET said_at = now(), failing_since = coalesce(relay.failing_since, now()), failing_why = excluded.failing_why
        """,
        name=name,
        why=why.replace("\x00", "\ufffd"),
    )


def relays(connection: Connection) -> list[RelayView]:
    """Every relay that ever said something."""
    return fetch_all(
        connection,
        RelayView,
        """
        SELECT name, extract(epoch FROM now() - said_at)::float AS silent_s, waiting, oldest_s, aside, aside_why, items,
               extract(epoch FROM now() - failing_since)::float AS failing_s, failing_why
        FROM relay ORDER BY name
        """,
    )
