"""Until when what was delivered to a target is paid for, where it takes so many outcomes a second.

Revision: 0026, after 0025
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Apply."""
    op.add_column("target", sa.Column("next_at", sa.DateTime(timezone=True), nullable=True))
