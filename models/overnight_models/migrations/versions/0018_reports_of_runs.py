"""Runs of catalogs know when they left each state, and their reports are kept.

Revision: 0018, after 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Apply."""
    op.add_column("catalog_run", sa.Column("steps", sa.Text(), server_default="[]", nullable=False))
    op.create_table(
        "catalog_report",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=True),
        sa.Column("callback", sa.Text(), nullable=True),
        sa.CheckConstraint("callback IS NULL OR document IS NOT NULL", name="what_is_sent_is_written"),
        sa.ForeignKeyConstraint(["run_id"], ["catalog_run.id"]),
        sa.PrimaryKeyConstraint("run_id"),
    )
