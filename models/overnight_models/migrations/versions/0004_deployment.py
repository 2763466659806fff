"""Which deployment this is, and in which database; what a person says of an unclear batch; how often a workspace was held.

Revision: 0004, after 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "deployment",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_why", sa.Text(), nullable=True),
        sa.Column("word_wanted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.CheckConstraint("one", name="there_is_one_deployment"),
        sa.PrimaryKeyConstraint("one"),
    )
    op.add_column("workspace", sa.Column("holds", sa.Integer(), server_default="0", nullable=False))
    op.add_column("workspace", sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("submission", sa.Column("cancel_asked_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("submission", sa.Column("remembered", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("sighting", sa.Column("believed_of", sa.BigInteger(), nullable=True))
