"""Deliveries wait their turn: found by their queue, and kept from a broker that doesn't answer or is full.

Revision: 0003, after 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "obstacle",
        sa.Column("broker", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("not_before", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="1", nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("broker", "queue"),
    )
    op.add_column("delivery", sa.Column("size", sa.Integer(), server_default="4000", nullable=False))
    op.drop_index("delivery_due", "delivery")
    op.create_index(
        "delivery_due",
        "delivery",
        ["broker", "queue", "due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'due'"),
    )
    op.create_index(
        "delivery_sending",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'sending' AND due_at IS NOT NULL"),
    )
    op.create_index(
        "delivery_unanswered",
        "delivery",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'awaiting_ack'"),
    )
