"""A product's queue is looked at again and again: one that nobody reads keeps its oldest message.

Revision: 0013, after 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Apply."""
    op.add_column("target", sa.Column("oldest", sa.Text(), nullable=True))
    op.add_column("target", sa.Column("oldest_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("target", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("target", sa.Column("messages", sa.Integer(), nullable=True))
