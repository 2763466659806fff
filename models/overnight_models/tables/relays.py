"""Relays: what takes on the inboxes of products' databases."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field

from overnight_models.tables.columns import Table, big, long_text, now


class Relay(Table, table=True):
    """What a relay last said of its inbox. Several processes may be one relay."""

    __tablename__ = "relay"
    name: str = long_text(primary_key=True)
    """As in the configuration."""
    said_at: datetime = now()
    waiting: int
    oldest_s: float
    """How long the first message that waits had waited, in seconds."""
    aside: int
    aside_why: str | None = long_text(default=None)
    items: int = big()
    """Items that it has ever handed over."""
    failing_since: datetime | None = Field(default=None)
    """Since when it can't take anything on; null while it can."""
    failing_why: str | None = long_text(default=None)
