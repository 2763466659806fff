"""Lanes choose models by size, and go on to a stronger one.

Revision: 0017, after 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Apply."""
    op.add_column("request", sa.Column("model_why", sa.Text(), nullable=True))
    op.add_column("unmeasured", sa.Column("chooses", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("redo", sa.Column("escalated", sa.Boolean(), server_default="false", nullable=False))
