"""Items that were purged, batches that are deleted at the API, and what a purge has removed.

Revision: 0024, after 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Apply. Of the big tables only the description changes: no row is written."""
    op.add_column("item", sa.Column("purged", sa.Boolean(), server_default="false", nullable=False))
    op.add_column("submission", sa.Column("delete_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("submission", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "submission_to_delete",
        "submission",
        ["delete_at"],
        postgresql_where=sa.text("delete_at IS NOT NULL AND deleted_at IS NULL"),
    )
    op.add_column("action", sa.Column("removed", sa.Text(), nullable=True))
