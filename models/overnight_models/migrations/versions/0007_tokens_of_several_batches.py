"""One token may stand on several batches; a late fact counts for what was called void; strangers' batches are forgotten.

Revision: 0007, after 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
    op.add_column("submission", sa.Column("twin_of", sa.BigInteger(), nullable=True))
    op.drop_constraint("submission_token_key", "submission", type_="unique")
    op.create_index(
        "a_token_is_of_one_create", "submission", ["token"], unique=True, postgresql_where=sa.text("twin_of IS NULL")
    )
    op.create_index(
        "submission_void_and_known",
        "submission",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'void' AND api_id IS NOT NULL"),
    )
    op.create_index("submission_by_time", "submission", ["claimed_at"], unique=False)
    op.add_column("workspace", sa.Column("swept_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("sighting", sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
    op.add_column("sighting", sa.Column("next_read_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "sighting_unproven",
        "sighting",
        ["workspace", "api_created_at"],
        unique=False,
        postgresql_where=sa.text("ours IS NULL"),
    )
    op.create_index("sighting_by_time", "sighting", ["seen_at"], unique=False)
