"""Schedules of catalogs, times at which they didn't run, and by when a run should be done.

Revision: 0016, after 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Apply."""
    op.add_column("catalog_run", sa.Column("finish_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "catalog_schedule",
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("cron", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("finish_by", sa.Text(), nullable=True),
        sa.Column("overlap", sa.Text(), nullable=False),
        sa.Column("when_paused", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("skipped", sa.Text(), nullable=True),
        sa.Column("kept_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("kept_by", sa.Text(), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("pause_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("overlap IN ('skip', 'wait')", name="overlap_is_known"),
        sa.CheckConstraint("when_paused IN ('drop', 'queue')", name="what_a_pause_does_is_known"),
        sa.CheckConstraint("(paused_at IS NULL) = (paused_by IS NULL)", name="a_pause_has_somebody"),
        sa.ForeignKeyConstraint(["catalog_id"], ["catalog.id"]),
        sa.PrimaryKeyConstraint("catalog_id"),
    )
    op.create_table(
        "catalog_passed_over",
        sa.Column("catalog_id", sa.Integer(), nullable=False),
        sa.Column("nominal_at", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["catalog_id"], ["catalog.id"]),
        sa.PrimaryKeyConstraint("catalog_id", "nominal_at"),
    )
