"""A workspace can be held until a person says that it may be tried again.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "workspace", sa.Column("held_until_resumed", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )


def downgrade() -> None:
    """Drop the column."""
    op.drop_column("workspace", "held_until_resumed")
