"""Catalogs: what was sent of each row, and the runs that send them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, SmallInteger, UniqueConstraint, text
from sqlmodel import Field

from overnight_models.states import CATALOG_RUN
from overnight_models.tables.columns import Table, big, known_state, long_text, new_id, now


class Catalog(Table, table=True):
    """A declared table whose rows are asked about; its declaration is a file of the product."""

    __tablename__ = "catalog"
    id: int | None = Field(default=None, primary_key=True)
    name: str = long_text(unique=True)
    created_at: datetime = now()


class CatalogRecipe(Table, table=True):
    """What made requests of rows: prompt, schema, model and parameters, by their hashes. Entries know its number."""

    __tablename__ = "catalog_recipe"
    __table_args__ = (UniqueConstraint("catalog_id", "columns", "prompt", "output", "model", "params"),)
    catalog_id: int = Field(foreign_key="catalog.id", primary_key=True)
    number: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    columns: str = long_text()
    """JSON: the columns that the prompt uses, in the order in which they are hashed."""
    prompt: bytes
    """The prompt's hash."""
    output: bytes
    """The schema's hash."""
    model: str = long_text()
    params: bytes
    """The parameters' hash."""


class CatalogMemory(Table, table=True):
    """What was sent of each row and is in the sink: entries of 39 bytes, in 256 parts by their first byte."""

    __tablename__ = "catalog_memory"
    catalog_id: int = Field(foreign_key="catalog.id", primary_key=True)
    part: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    entries: bytes


class CatalogRun(Table, table=True):
    """One run of a catalog: what it was to do, how far it is, and why it ended."""

    __tablename__ = "catalog_run"
    __table_args__ = (
        known_state(CATALOG_RUN),
        UniqueConstraint("catalog_id", "number"),
        UniqueConstraint("catalog_id", "nominal_at"),
        CheckConstraint(
            "(state IN ({})) = (ended_at IS NOT NULL)".format(
                ", ".join(f"'{state}'" for state in sorted(CATALOG_RUN.final))
            ),
            name="what_ended_has_a_time",
        ),
        Index("one_unfinished_run_a_catalog", "catalog_id", unique=True, postgresql_where=text("ended_at IS NULL")),
    )
    id: int | None = new_id()
    catalog_id: int = Field(foreign_key="catalog.id")
    number: int
    """Of its catalog, from 1; its items are in the run `NAME-NUMBER`."""
    nominal_at: str | None = long_text(default=None)
    """When its schedule wanted it, by the schedule's clock, such as 2026-11-30T22:00; null when a person began it."""
    finish_at: datetime | None = None
    """By when it should be done; null where its schedule says nothing."""
    state: str = long_text()
    reason: str | None = long_text(default=None)
    """Why it waits, or ended as it did."""
    path: str = long_text()
    """Of the declaration's file."""
    declaration: str = long_text()
    """The declaration's text when the run began; all of the run goes by it."""
    wish: str = long_text()
    """JSON: what was asked for beside the declaration (limit, where, retry_failed)."""
    plan: str | None = long_text(default=None)
    """JSON: rows and dollars by reason; null while it isn't made."""
    recipe: int | None = Field(default=None, sa_type=SmallInteger)
    counts: str = long_text(sa_column_kwargs={"server_default": "{}"})
    """JSON: what came of it so far."""
    steps: str = long_text(sa_column_kwargs={"server_default": "[]"})
    """JSON: each state that it has left, and when."""
    enqueued_at: datetime | None = None
    """When all rows of this state were in Postgres as items; null while they aren't."""
    owner: int | None = None
    """Who takes its steps: a lock of `ledger.presence`."""
    owner_name: str | None = long_text(default=None)
    began_at: datetime = now()
    changed_at: datetime = now()
    approved_at: datetime | None = None
    approved_by: str | None = long_text(default=None)
    stop_wanted: str | None = long_text(default=None)
    """Who wants it stopped; whoever takes its next step does that."""
    ended_at: datetime | None = None
    late: str | None = long_text(default=None)
    """That it will likely miss `finish_at`, as the last look has shown; null when it won't, or there is none."""
    late_looked_at: datetime | None = None


class CatalogPlanned(Table, table=True):
    """What a run sends, and which rows are gone: entries as in the memory, whose state is the reason."""

    __tablename__ = "catalog_planned"
    run_id: int = big(primary_key=True, foreign_key="catalog_run.id")
    part: int = Field(sa_type=SmallInteger, primary_key=True, sa_column_kwargs={"autoincrement": False})
    entries: bytes


class CatalogUnsent(Table, table=True):
    """A row of a run that couldn't be sent, and why."""

    __tablename__ = "catalog_unsent"
    run_id: int = big(primary_key=True, foreign_key="catalog_run.id")
    entry: bytes = Field(primary_key=True)
    """The hash of its key and variant."""
    key: str = long_text()
    """JSON: the cells of its key."""
    variant: str | None = long_text(default=None)
    cause: str = long_text()
    detail: str = long_text()


class CatalogReport(Table, table=True):
    """What a run came to, kept when its items are long gone; and what some of its rows had in the sink before."""

    __tablename__ = "catalog_report"
    __table_args__ = (CheckConstraint("callback IS NULL OR document IS NOT NULL", name="what_is_sent_is_written"),)
    run_id: int = big(primary_key=True, foreign_key="catalog_run.id")
    before: str = long_text()
    """JSON: rows that were drawn before anything was published, each with what it had in the sink then."""
    document: str | None = long_text(default=None)
    """JSON: the report; null while the run isn't over."""
    callback: str | None = long_text(default=None)
    """JSON: the task that gets the report; null when none does, or when its broker has it."""


class CatalogSchedule(Table, table=True):
    """When a catalog runs by itself: a cron line on the wall clock of a zone, as a person kept it."""

    __tablename__ = "catalog_schedule"
    __table_args__ = (
        CheckConstraint("overlap IN ('skip', 'wait')", name="overlap_is_known"),
        CheckConstraint("when_paused IN ('drop', 'queue')", name="what_a_pause_does_is_known"),
        CheckConstraint("(paused_at IS NULL) = (paused_by IS NULL)", name="a_pause_has_somebody"),
    )
    catalog_id: int = Field(foreign_key="catalog.id", primary_key=True)
    path: str = long_text()
    """Of the declaration's file, which is read anew for each run."""
    declaration: str | None = long_text(default=None)
    """The file's text when the schedule was kept: who is told when the file can't be used; null of earlier versions."""
    cron: str = long_text()
    zone: str = long_text()
    finish_by: str | None = long_text(default=None)
    """By when its runs should be done, by the same clock, such as 06:00."""
    overlap: str = long_text()
    """When the run before isn't over: `skip`, or `wait` for it."""
    when_paused: str = long_text()
    """Times that fall into a pause: `drop`, or `queue` the last of them."""
    next_at: datetime
    """The next time, in UTC: computed in Python, by the rules of the tzdata wheel."""
    skipped: str | None = long_text(default=None)
    """The nominal time that a person wants to be left out."""
    kept_at: datetime = now()
    kept_by: str = long_text()
    paused_at: datetime | None = None
    paused_by: str | None = long_text(default=None)
    pause_reason: str | None = long_text(default=None)


class CatalogPassedOver(Table, table=True):
    """A time of a schedule at which no run began, and why. The last twenty of each."""

    __tablename__ = "catalog_passed_over"
    catalog_id: int = Field(foreign_key="catalog.id", primary_key=True)
    nominal_at: str = long_text(primary_key=True)
    reason: str = long_text()
    at: datetime = now()
