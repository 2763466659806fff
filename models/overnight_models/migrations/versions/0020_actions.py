"""What people do is kept, and goes on whoever dies; a lane says who paused it, and may be drained.

Revision: 0020, after 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "action",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("wish", sa.Text(), nullable=False),
        sa.Column("items", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("most_nano", sa.BigInteger(), nullable=True),
        sa.Column("done", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("after_item", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("until_item", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("stepped_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("aborted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("aborted_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("aborted_by IS NULL OR aborted_at IS NOT NULL", name="who_aborts_does_it_at_a_time"),
        sa.CheckConstraint("done >= 0 AND after_item <= until_item", name="an_action_stays_within_its_items"),
    )
    op.create_index(
        "one_unfinished_action_of_a_wish",
        "action",
        ["name", "wish"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.add_column("lane", sa.Column("paused_by", sa.Text(), nullable=True))
    op.add_column("lane", sa.Column("drain_until", sa.BigInteger(), nullable=True))
    op.add_column("lane", sa.Column("drained_by", sa.Text(), nullable=True))
    op.create_index(
        "outcome_with_problem", "outcome", ["item_id"], postgresql_where=sa.text("problem IS NOT NULL"), unique=False
    )
    op.create_index(
        "outcome_by_time",
        "outcome",
        ["finished_at"],
        unique=False,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )
