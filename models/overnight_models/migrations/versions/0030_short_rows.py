"""Rows lack texts that many have in common: callbacks have numbers, and a submission says which batch it is.

Revision: 0030, after 0029
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "callback",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("document"),
    )
    op.add_column("request", sa.Column("callback_id", sa.Integer(), nullable=True))
    op.add_column("deployment", sa.Column("short_rows", sa.Boolean(), server_default=sa.text("false"), nullable=False))
