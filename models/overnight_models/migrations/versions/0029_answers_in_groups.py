"""Answers lie in groups, many in one compressed row; groups that can't be read are noted.

Revision: 0029, after 0028
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "answer_group",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("items", sa.SmallInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("items > 0", name="a_group_of_answers_has_some"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_partition_by="RANGE (id)",
    )
    # it is compressed already
    op.execute("ALTER TABLE answer_group ALTER COLUMN packed SET STORAGE EXTERNAL")
    op.add_column("outcome", sa.Column("body_group", sa.BigInteger(), nullable=True))
    op.add_column("outcome", sa.Column("body_place", sa.SmallInteger(), nullable=True))
    op.add_column("outcome", sa.Column("body_size", sa.Integer(), nullable=True))
    op.create_table(
        "damaged_group",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("group_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "group_id"),
    )
