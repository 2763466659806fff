"""Runs of catalogs that will likely miss their `finish_by` say so in their row, where alarms read it.

Revision: 0043, after 0042
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    """Apply."""
    op.add_column("catalog_run", sa.Column("late", sa.Text(), nullable=True))
    op.add_column("catalog_run", sa.Column("late_looked_at", sa.DateTime(timezone=True), nullable=True))
