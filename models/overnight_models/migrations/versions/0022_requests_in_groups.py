"""Requests lie in groups, many in one compressed row.

Revision: 0022, after 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "request_group",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("items", sa.SmallInteger(), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("items > 0", name="a_group_of_requests_has_some"),
        sa.PrimaryKeyConstraint("id"),
        postgresql_partition_by="RANGE (id)",
    )
    # it is compressed already
    op.execute("ALTER TABLE request_group ALTER COLUMN packed SET STORAGE EXTERNAL")
    op.add_column("request", sa.Column("body_group", sa.BigInteger(), nullable=True))
    op.add_column("request", sa.Column("body_place", sa.SmallInteger(), nullable=True))
    op.add_column("request", sa.Column("unbounded", sa.Boolean(), nullable=True))
    op.alter_column("request", "params", nullable=True)
    op.add_column(
        "deployment", sa.Column("bodies_in_groups", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
