"""Catalogs: what was sent of each of their rows, and their runs.

Revision: 0014, after 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_STATES = "'planned', 'asking', 'pilot', 'sending', 'retrying', 'publishing', 'complete', 'partial', 'stopped'"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "catalog",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    _add_what_was_sent()
    _add_runs()


def _add_what_was_sent() -> None:
    op.create_table(
        "catalog_recipe",
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("columns", sa.Text(), nullable=False),
        sa.Column("prompt", sa.LargeBinary(), nullable=False),
        sa.Column("output", sa.LargeBinary(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["catalog_id"], ["catalog.id"]),
        sa.PrimaryKeyConstraint("catalog_id", "number"),
        sa.UniqueConstraint("catalog_id", "columns", "prompt", "output", "model", "params"),
    )
    op.create_table(
        "catalog_memory",
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["catalog_id"], ["catalog.id"]),
        sa.PrimaryKeyConstraint("catalog_id", "part"),
    )


def _add_runs() -> None:
    op.create_table(
        "catalog_run",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("nominal_at", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("declaration", sa.Text(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=True),
        sa.Column("recipe", sa.SmallInteger(), nullable=True),
        sa.Column("counts", sa.Text(), server_default="{}", nullable=False),
        sa.Column("enqueued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.Integer(), nullable=True),
        sa.Column("owner_name", sa.Text(), nullable=True),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=True),
        sa.Column("stop_wanted", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(f"state IN ({_STATES})", name="catalog_run_state_is_known"),
        sa.CheckConstraint(
            "(state IN ('complete', 'partial', 'stopped')) = (ended_at IS NOT NULL)", name="what_ended_has_a_time"
        ),
        sa.ForeignKeyConstraint(["catalog_id"], ["catalog.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("catalog_id", "number"),
        sa.UniqueConstraint("catalog_id", "nominal_at"),
    )
    op.create_index(
        "one_unfinished_run_a_catalog",
        "catalog_run",
        ["catalog_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_table(
        "catalog_planned",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["catalog_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "part"),
    )
    op.create_table(
        "catalog_unsent",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("entry", sa.LargeBinary(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("variant", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["catalog_run.id"]),
        sa.PrimaryKeyConstraint("run_id", "entry"),
    )
