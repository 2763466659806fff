"""Names and documents that many rows share, each stored once; rows know their number."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, UniqueConstraint
from sqlmodel import Field

from overnight_models.tables.columns import Table, long_text, now, zero


class Run(Table, table=True):
    """A named group of items with one progress and one bill."""

    __tablename__ = "run"
    id: int | None = Field(default=None, primary_key=True)
    name: str = long_text(unique=True)
    created_at: datetime = now()


class Headers(Table, table=True):
    """What a batch is sent with; items of different headers can't share a batch."""

    __tablename__ = "headers"
    __table_args__ = (UniqueConstraint("workspace", "betas", "api_version"),)
    id: int | None = Field(default=None, primary_key=True)
    workspace: str = long_text()
    betas: str = long_text()
    """The anthropic-beta header: names sorted and joined by commas; '' for none."""
    api_version: str = long_text()


class Tenant(Table, table=True):
    """On whose behalf an item is sent: for fairness, budgets and bills."""

    __tablename__ = "tenant"
    id: int | None = Field(default=None, primary_key=True)
    name: str = long_text(unique=True)


class Chain(Table, table=True):
    """The items of one `trace_id` in a lane that says what those may cost together (`max_cost_per_trace`)."""

    __tablename__ = "chain"
    __table_args__ = (UniqueConstraint("lane_id", "trace_id"),)
    id: int | None = Field(default=None, primary_key=True)
    lane_id: int = Field(foreign_key="lane.id")
    trace_id: str = long_text()


class Model(Table, table=True):
    """A model by the name that requests call it, or that answers say served them."""

    __tablename__ = "model"
    id: int | None = Field(default=None, primary_key=True)
    name: str = long_text(unique=True)


class Target(Table, table=True):
    """Where outcomes go: a queue of a product, and the broker that it is on."""

    __tablename__ = "target"
    __table_args__ = (UniqueConstraint("broker", "queue"),)
    id: int | None = Field(default=None, primary_key=True)
    broker: str = long_text()
    """The broker's name in the configuration; '' is Overnight's own Redis."""
    queue: str = long_text()
    oldest: str | None = long_text(default=None)
    """The oldest message that the last look found in the queue, by its hash; null: none, or somebody listens."""
    oldest_since: datetime | None = None
    """When it was first seen there."""
    looked_at: datetime | None = None
    messages: int | None = None
    """How many the last look found."""
    next_at: datetime | None = None
    """Of one that takes so many a second: what was delivered is paid for until then; null: nothing ever was."""
    sender: UUID | None = None
    """Of a webhook: the run that sends to it; null: none does."""
    sender_until: datetime | None = None
    """Until then no other run does, unless that one says that it goes on."""


class OutputSchema(Table, table=True):
    """A JSON schema that answers must fit, stored once by its hash."""

    __tablename__ = "output_schema"
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes = Field(unique=True)
    document: str = long_text()


class Prefix(Table, table=True):
    """What many requests begin with, stored once by its hash; once more for each lane that encrypts."""

    __tablename__ = "prefix"
    __table_args__ = (
        UniqueConstraint("hash", "own_lane_id"),
        CheckConstraint(
            "(own_lane_id <> 0) = (num_nulls(size, has_marks, unbounded) = 0)", name="what_is_encrypted_is_described"
        ),
    )
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes
    own_lane_id: int = zero()
    """The lane whose own it is, since that encrypts; 0: it is of all lanes that don't."""
    document: str = long_text()
    """JSON: {"tools", "system", "messages"}."""
    size: int | None = None
    """Bytes of the JSON. This and what follows is of a lane's own ones: statements can't read what is encrypted."""
    has_marks: bool | None = None
    """Its producer has marked something in it for the cache."""
    unbounded: bool | None = None
    """It isn't only text."""
    used_at: datetime = now()
    """When an item last went on from it, to the day."""


class Callback(Table, table=True):
    """Where outcomes go, in words that many items have in common: nothing of any of them is in it."""

    __tablename__ = "callback"
    id: int | None = Field(default=None, primary_key=True)
    document: str = long_text(unique=True)


class Shape(Table, table=True):
    """A kind of request: what the API checks of it beside its text, and what it is sent with."""

    __tablename__ = "shape"
    id: int | None = Field(default=None, primary_key=True)
    hash: bytes = Field(unique=True)
    passed_at: datetime | None = None
    """When the API took one for the first time; until then some are asked about before they are sent."""
