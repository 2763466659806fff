"""A stage that fails for a reason of our own says so: since when, until when that holds, and why.

Revision: 0010, after 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply."""
    op.add_column("pulse", sa.Column("failing_since", sa.DateTime(timezone=True)))
    op.add_column("pulse", sa.Column("failing_until", sa.DateTime(timezone=True)))
    op.add_column("pulse", sa.Column("failing_why", sa.Text()))
