"""A lane that encrypts has prefixes of its own, encrypted by its key; what statements ask of them stands beside them.

Revision: 0035, after 0034
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"


def upgrade() -> None:
    """Apply."""
    op.add_column("prefix", sa.Column("own_lane_id", sa.Integer(), server_default="0", nullable=False))
    op.add_column("prefix", sa.Column("size", sa.Integer(), nullable=True))
    op.add_column("prefix", sa.Column("has_marks", sa.Boolean(), nullable=True))
    op.add_column("prefix", sa.Column("unbounded", sa.Boolean(), nullable=True))
    op.create_unique_constraint("prefix_hash_own_lane_id_key", "prefix", ["hash", "own_lane_id"])
    op.drop_constraint("prefix_hash_key", "prefix", type_="unique")
    op.create_check_constraint(
        "what_is_encrypted_is_described", "prefix", "(own_lane_id <> 0) = (num_nulls(size, has_marks, unbounded) = 0)"
    )
