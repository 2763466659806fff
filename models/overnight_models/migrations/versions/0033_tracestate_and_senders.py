"""What tracing systems add to an item's trace; who sends to a webhook, so that its `concurrency` holds for all workers.

Revision: 0033, after 0032
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    """Apply."""
    op.add_column("request", sa.Column("tracestate", sa.Text(), nullable=True))
    op.add_column("target", sa.Column("sender", sa.Uuid(), nullable=True))
    op.add_column("target", sa.Column("sender_until", sa.DateTime(timezone=True), nullable=True))
