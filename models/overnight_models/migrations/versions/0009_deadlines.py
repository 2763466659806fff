"""Deadlines: who waits with one, which batch is looked at for them, and how likely it was in time.

Revision: 0009, after 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    op.add_column("item", sa.Column("batch_chance", sa.SmallInteger(), nullable=True))
    op.add_column("batch", sa.Column("look_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "batch_to_look_at", "batch", ["look_at"], unique=False, postgresql_where=sa.text("look_at IS NOT NULL")
    )
    op.create_index(
        "item_waiting_by_deadline",
        "item",
        ["lane_id", "headers_id", "deadline"],
        unique=False,
        postgresql_where=sa.text("waiting_since IS NOT NULL AND deadline IS NOT NULL AND direct_at IS NULL"),
    )
    op.create_index(
        "item_in_batch_by_deadline",
        "item",
        ["batch_id", "deadline"],
        unique=False,
        postgresql_where=sa.text("batch_id IS NOT NULL AND deadline IS NOT NULL"),
    )
    op.create_index(
        "item_to_give_up",
        "item",
        ["give_up_at"],
        unique=False,
        postgresql_where=sa.text("give_up_at IS NOT NULL AND (waiting_since IS NOT NULL OR held_by IS NOT NULL)"),
    )
