"""What of each partition of the big tables is still kept.

Revision: 0021, after 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Apply."""
    at = sa.DateTime(timezone=True)
    op.create_table(
        "kept",
        sa.Column("first_item", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("looked_at", at, nullable=True),
        sa.Column("waits_for", sa.Text(), nullable=True),
        sa.Column("finished_before", at, nullable=True),
        sa.Column("copied_to", sa.BigInteger(), nullable=True),
        sa.Column("left_out", sa.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("deliveries_dropped_at", at, nullable=True),
        sa.Column("bodies_dropped_at", at, nullable=True),
        sa.Column("outcomes_dropped_at", at, nullable=True),
        sa.Column("keys_looked_to", sa.BigInteger(), nullable=True),
        sa.Column("keys_dropped_at", at, nullable=True),
        sa.Column("carried", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("first_item"),
    )
