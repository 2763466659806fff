"""What each stage fails at: one row a thing, so that one that goes well hides no other that fails.

Revision: 0038, after 0037
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision = "0037"


def upgrade() -> None:
    """Apply."""
    at = sa.DateTime(timezone=True)
    op.create_table(
        "failure",
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("since", at, server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", at, server_default=sa.text("now()"), nullable=False),
        sa.Column("until", at, nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("stage", "what"),
    )
