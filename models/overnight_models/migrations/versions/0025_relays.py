"""What relays say of the inboxes of products' databases.

Revision: 0025, after 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Apply."""
    at = sa.DateTime(timezone=True)
    op.create_table(
        "relay",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("said_at", at, server_default=sa.text("now()"), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("oldest_s", sa.Float(), nullable=False),
        sa.Column("aside", sa.Integer(), nullable=False),
        sa.Column("aside_why", sa.Text(), nullable=True),
        sa.Column("items", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", at, nullable=True),
        sa.Column("failing_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
