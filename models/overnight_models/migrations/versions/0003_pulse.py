"""The pulse: when each stage last ran, and since when there is work for it.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "pulse",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True)),
        sa.Column("work_since", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("stage"),
    )
