"""Batches, every attempt to create one, what the API lists, and what is done with prefixes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, text
from sqlmodel import Field

from overnight_models.states import BATCH, SUBMISSION
from overnight_models.tables.columns import Table, big, by_item, known_state, long_text, new_id, now, zero


class Batch(Table, table=True):
    """One Message Batch: ours from the moment it is packed, Anthropic's from the moment it is submitted."""

    __tablename__ = "batch"
    __table_args__ = (
        known_state(BATCH),
        Index("batch_by_state", "state"),
        Index("batch_to_look_at", "look_at", postgresql_where=text("look_at IS NOT NULL")),
    )
    id: int | None = new_id()
    lane_id: int = Field(foreign_key="lane.id")
    headers_id: int = Field(foreign_key="headers.id")
    parent_id: int | None = big(default=None)
    """The rejected batch that this one is a part of."""
    state: str = long_text()
    items: int
    """Items it was packed with."""
    size: int = big()
    """Bytes of their requests."""
    has_schemas: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Some of its items asked for an answer of a schema."""
    has_prefixes: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Some of its items have a prefix."""
    packed_at: datetime = now()
    changed_at: datetime = now()
    """When its state last changed."""
    not_before: datetime | None = None
    """Not sent again before then."""
    releases: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often a create of it was known to have failed; grows the pause before the next."""
    reason: str | None = long_text(default=None)
    """Why it is in its state, where that needs saying."""
    look_at: datetime | None = None
    """When it is looked at next, whether it keeps its deadlines; null when none of its items has one."""


class Submission(Table, table=True):
    """One attempt to create a batch: a row, with a token, before the API is called."""

    __tablename__ = "submission"
    __table_args__ = (
        known_state(SUBMISSION),
        # a batch is never being sent twice at once, whoever believes what
        Index(
            "one_submission_under_way_per_batch",
            "batch_id",
            unique=True,
            postgresql_where=text("state IN ('claimed', 'sending', 'unclear')"),
        ),
        Index("submission_by_batch", "batch_id"),
        Index("submission_unfinished", "state", postgresql_where=text("state NOT IN ('void', 'done')")),
        # few are: an answer said that it wasn't created, and the API lists it all the same
        Index("submission_void_and_known", "id", postgresql_where=text("state = 'void' AND api_id IS NOT NULL")),
        Index("submission_by_time", "claimed_at"),
        # what is executed twice has one token at two batches, each of which is a row
        Index("a_token_is_of_one_create", "token", unique=True, postgresql_where=text("twin_of IS NULL")),
        Index(
            "submission_to_delete", "delete_at", postgresql_where=text("delete_at IS NOT NULL AND deleted_at IS NULL")
        ),
        CheckConstraint("(state = 'open') <= (api_id IS NOT NULL)", name="open_submissions_have_an_api_id"),
        CheckConstraint("(state = 'sending') <= (send_by IS NOT NULL)", name="sending_ends_at_a_time"),
    )
    id: int | None = new_id()
    batch_id: int = big(foreign_key="batch.id")
    token: str = long_text()
    """Random, the start of every custom_id: proof that a batch at the API is ours."""
    twin_of: int | None = big(default=None)
    """The submission whose create the API executed once more: this row is for that second batch, of the same token."""
    state: str = long_text()
    items: int | None = None
    """Requests in the body, frozen before the first byte is sent."""
    owner: int | None = None
    """Whoever submits it, or later reads its results: a lock of `ledger.presence`."""
    claimed_at: datetime = now()
    lease_until: datetime | None = None
    """While claimed, or while its results are read: the owner is taken for dead after this at the latest."""
    let_go_at: datetime | None = None
    """When its last bytes were let go. Without that it can't have been created, whatever was answered."""
    send_by: datetime | None = None
    """No byte of it is written after this, by the database's clock."""
    quiet_after: datetime | None = None
    """Only a list that started after this may say that it was never created."""
    api_workspace_id: str | None = long_text(default=None)
    """The workspace it was sent to, as the API names it."""
    api_id: str | None = long_text(default=None, unique=True)
    api_created_at: datetime | None = None
    api_expires_at: datetime | None = None
    cancel_asked_at: datetime | None = None
    """When the API was told to stop it: a double of a batch that another submission has created."""
    remembered: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Found at the API by its token's mark; the ledger had forgotten it, being restored."""
    ended_at: datetime | None = None
    """When the API says that it ended; its results can be read from then on."""
    counts: str | None = long_text(default=None)
    """JSON: the API's request_counts when it ended."""
    reads: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often its results were begun to be read."""
    misses: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often they were read to their end and lines were missing."""
    next_read_at: datetime | None = None
    error: str | None = long_text(default=None)
    delete_at: datetime | None = None
    """From then on the API is told to delete it, once its results are recorded; null when it keeps them as it does."""
    deleted_at: datetime | None = None
    """When the API had deleted it: its requests and results can't be had any more."""


class Sighting(Table, table=True):
    """A batch that the API lists and the ledger doesn't know: a stranger's, or one of ours that got lost."""

    __tablename__ = "sighting"
    __table_args__ = (
        Index("sighting_unproven", "workspace", "api_created_at", postgresql_where=text("ours IS NULL")),
        Index("sighting_by_time", "seen_at"),
    )
    api_id: str = long_text(primary_key=True)
    workspace: str = long_text()
    items: int
    api_created_at: datetime
    ended_at: datetime | None = None
    seen_at: datetime = now()
    ours: bool | None = None
    """Null until a token proves it either way, which takes until it has ended."""
    believed_of: int | None = big(default=None)
    """The submission that a person believes it to be; its token still has to prove it."""
    tries: int = zero()
    """How often its token couldn't be read; grows the pause before the next time."""
    next_read_at: datetime | None = None


class Caching(Table, table=True):
    """What a submission does with a prefix, why, and what came of it."""

    __tablename__ = "caching"
    __table_args__ = (
        Index("caching_lately", "lane_id", "at"),
        CheckConstraint("lifetime IN ('5m', '1h')", name="caches_live_five_minutes_or_an_hour"),
        CheckConstraint("priming IN ('ahead', 'given up')", name="one_goes_ahead_or_none_does_any_more"),
    )
    submission_id: int = by_item()
    prefix_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    model_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    lane_id: int
    lifetime: str | None = long_text(default=None)
    """For how long it is cached; null: it isn't."""
    why: str = long_text()
    loses: bool = Field(sa_column_kwargs={"server_default": "false"})
    """It isn't cached because that would cost more than it saves, by what was measured."""
    priming: str | None = long_text(default=None)
    """`ahead`: it writes the prefix for others; `given up`: nobody does, since those after it read it too seldom."""
    requests: int
    answers: int = zero()
    read_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    written_tokens: int = big(sa_column_kwargs={"server_default": "0"})
    at: datetime = now()


class Primer(Table, table=True):
    """The batch of one that last wrote a prefix into the cache for those after it."""

    __tablename__ = "primer"
    headers_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    prefix_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    model_id: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    batch_id: int = big(index=True)
    at: datetime = now()
