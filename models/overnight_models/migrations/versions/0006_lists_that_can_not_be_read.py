"""A workspace whose list of batches can't be read says since when and why, and is looked at less often.

Revision: 0006, after 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("workspace", sa.Column("unread_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("workspace", sa.Column("unread_why", sa.Text(), nullable=True))
    op.add_column("workspace", sa.Column("look_after", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop the columns."""
    for name in ("unread_since", "unread_why", "look_after"):
        op.drop_column("workspace", name)
