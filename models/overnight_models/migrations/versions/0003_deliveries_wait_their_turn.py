"""Deliveries are found by their queue, and by the time until which somebody holds them.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.drop_index("delivery_due", "delivery")
    op.create_index(
        "delivery_due",
        "delivery",
        ["broker", "queue", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_index(
        "delivery_until",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('sending', 'awaiting_ack')"),
    )
