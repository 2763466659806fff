"""Where the ledger lives, and what operators hold, pause and watch."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, text
from sqlmodel import Field

from overnight_models.tables.columns import Table, big, long_text, new_id, now


class Deployment(Table, table=True):
    """Which deployment this ledger is of, and in which database it lives: one row (R11)."""

    __tablename__ = "deployment"
    __table_args__ = (CheckConstraint("one", name="there_is_one_deployment"),)
    one: bool = Field(primary_key=True, sa_column_kwargs={"server_default": "true"})
    id: UUID = Field(sa_column_kwargs={"server_default": text("gen_random_uuid()")})
    """Every token of its submissions is marked with it; the configuration may name it."""
    home: str = long_text()
    """System, timeline and database: what a restored or copied ledger has other than its original."""
    moved_at: datetime | None = None
    """When it was noticed that the ledger isn't where it was: nothing is sent before the API was looked at."""
    moved_why: str | None = long_text(default=None)
    word_wanted: bool = Field(sa_column_kwargs={"server_default": "false"})
    """It may be a copy whose original still runs, so a person must say that it may send."""
    bodies_in_groups: bool = Field(sa_column_kwargs={"server_default": "false"})
    """New bodies lie in groups, which versions before 0022 can't read. Of a new ledger, and from the second
    `overnight migrate` on."""
    short_rows: bool = Field(sa_column_kwargs={"server_default": "false"})
    """New rows lack texts that versions before 0030 look for in them. From when on: as for groups."""
    deliveries_without_rows: bool = Field(sa_column_kwargs={"server_default": "false"})
    """What is delivered at once gets no row of `delivery`, which versions before 0031 would miss. Set as the other."""
    columns_by_width: bool = Field(sa_column_kwargs={"server_default": "false"})
    """New partitions have an order of columns in which versions before 0036 miscopy them. Set as the other."""
    short_outcomes: bool = Field(sa_column_kwargs={"server_default": "false"})
    """New outcomes leave out what versions before 0042 look for in their rows. Set as the other."""


class Workspace(Table, table=True):
    """One API key and what hangs on it."""

    __tablename__ = "workspace"
    name: str = long_text(primary_key=True)
    api_workspace_id: str | None = long_text(default=None)
    """As the API's response header says; '' if it says nothing. A list from another one proves nothing."""
    held_at: datetime | None = None
    held_reason: str | None = long_text(default=None)
    """Money or permission: nothing is sent until this is over."""
    held_until_resumed: bool = Field(sa_column_kwargs={"server_default": "false"})
    """Trying again is of no use before a person has changed something at Anthropic and says so."""
    holds: int = Field(sa_column_kwargs={"server_default": "0"})
    """How often in a row it was held: it is tried again less and less often."""
    not_before: datetime | None = None
    """Rate limited until then."""
    unread_since: datetime | None = None
    """Since when its list of batches can't be read, or not all of it; null when it can."""
    unread_why: str | None = long_text(default=None)
    read_at: datetime | None = None
    """When all that was asked of its list could be read."""
    look_after: datetime | None = None
    """Its list isn't asked for again before: one that takes long takes no time from the others."""
    swept_at: datetime | None = None
    """When a list last went back far enough to show every batch that may be ours and isn't known."""
    looked_at: datetime | None = None
    """When everything that the API lists had been looked at; after the deployment moved, it is sent to again."""


class Lane(Table, table=True):
    """A named stream of items. Its policy is configuration; here is what operators did to it."""

    __tablename__ = "lane"
    id: int | None = Field(default=None, primary_key=True)
    name: str = long_text(unique=True)
    paused_at: datetime | None = None
    paused_reason: str | None = long_text(default=None)
    paused_by: str | None = long_text(default=None)
    """Who paused it; null when Overnight did."""
    drain_until: int | None = big(default=None)
    """While it is drained: the newest item that was to go at once. It is paused when none of these waits."""
    drained_by: str | None = long_text(default=None)


class Obstacle(Table, table=True):
    """What keeps deliveries from a broker, or from one of its queues; a row only for as long as it is so."""

    __tablename__ = "obstacle"
    broker: str = long_text(primary_key=True)
    """As in `delivery`."""
    queue: str = long_text(primary_key=True)
    """The queue that is full; '' when it is all of the broker, which doesn't answer."""
    since: datetime = now()
    seen_at: datetime = now()
    """When it was last found so."""
    not_before: datetime = now()
    """Nobody looks again before then."""
    failures: int = Field(sa_column_kwargs={"server_default": "1"})
    """How often it was found so; grows the pause before the next look."""
    why: str = long_text()


class Pulse(Table, table=True):
    """When a stage last ran, and since when there is work for it: a standstill is seen, whatever stands still."""

    __tablename__ = "pulse"
    stage: str = long_text(primary_key=True)
    ran_at: datetime | None = None
    work_since: datetime | None = None
    """Said by the sweep; none while there is no work for it."""
    failing_since: datetime | None = None
    """This and the next two are written by workers from before `Failure`, and read while such workers may run."""
    failing_until: datetime | None = None
    failing_why: str | None = long_text(default=None)


class Failure(Table, table=True):
    """What a stage fails at, for a reason of our own, until that goes well or isn't tried any more."""

    __tablename__ = "failure"
    stage: str = long_text(primary_key=True)
    what: str = long_text(primary_key=True)
    """As `batch 7`; empty: a task as a whole."""
    since: datetime = now()
    seen_at: datetime = now()
    """When it last failed."""
    until: datetime
    """A little after its next try: so long its last failure counts."""
    why: str = long_text()


class Counter(Table, table=True):
    """What has happened so far, as changes to be added up; `ledger.counters` says what is counted."""

    __tablename__ = "counter"
    id: int | None = new_id()
    name: str = long_text()
    lane_id: int | None = None
    label: str = long_text()
    n: int = big()
    amount: int = big(sa_column_kwargs={"server_default": "0"})
