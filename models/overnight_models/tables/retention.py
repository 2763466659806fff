"""Retention: what of each partition of the big tables is still kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ARRAY, BigInteger
from sqlmodel import Field

from overnight_models.tables.columns import Table, big, by_item, long_text


class Kept(Table, table=True):
    """What is kept of the items of one partition, and how far it is with dropping the rest."""

    __tablename__ = "kept"
    first_item: int = by_item()
    """Of the partition."""
    looked_at: datetime | None = None
    """When it was last looked at whether something of it may go."""
    waits_for: str | None = long_text(default=None)
    """Why nothing more of it goes, where its age alone would allow that."""
    finished_before: datetime | None = None
    """All of its outcomes are older; known when something of it was dropped."""
    copied_to: int | None = big(default=None)
    """While its bodies are dropped: up to this item the rest of its rows is copied."""
    left_out: list[int] = Field(default=[], sa_type=ARRAY(BigInteger), sa_column_kwargs={"server_default": "{}"})
    """Of those, the items that weren't copied: they keep their bodies."""
    deliveries_dropped_at: datetime | None = None
    bodies_dropped_at: datetime | None = None
    outcomes_dropped_at: datetime | None = None
    keys_looked_to: int | None = big(default=None)
    """While its keys are dropped: up to this page of their table they are gone."""
    keys_dropped_at: datetime | None = None
    carried: int = big(sa_column_kwargs={"server_default": "0"})
    """Items that were kept whole when the others went: unfinished, undelivered, or perhaps not billed yet."""
