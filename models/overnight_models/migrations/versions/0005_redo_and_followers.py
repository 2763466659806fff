"""Items that are tried again, that follow others, and that are canceled before they are accepted.

Revision: 0005, after 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_STATES = "waiting held batched direct racing succeeded failed canceled following redone"


def upgrade() -> None:
    """Apply."""
    op.drop_constraint("item_state_is_known", "item")
    states = ", ".join(f"'{state}'" for state in _STATES.split())
    op.create_check_constraint("item_state_is_known", "item", f"state IN ({states})")
    op.create_table(
        "redo",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("of_item_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("asked_again", sa.Integer(), server_default="0", nullable=False),
        sa.Column("attempts_before", sa.Integer(), nullable=False),
        sa.Column("cost_before_nano", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("item_id"),
        sa.UniqueConstraint("of_item_id"),
    )
    op.create_table(
        "follower",
        sa.Column("item_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("of_item_id", sa.BigInteger(), nullable=False),
        sa.Column("receipt", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("item_id"),
        sa.UniqueConstraint("receipt"),
    )
    op.create_index(op.f("ix_follower_of_item_id"), "follower", ["of_item_id"], unique=False)
    op.create_table(
        "recall",
        sa.Column("receipt", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("receipt"),
    )
