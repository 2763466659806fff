"""Two indexes of items lack the id, so that equal entries are one; new partitions have their columns in another order.

Revision: 0036, after 0035
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "deployment", sa.Column("columns_by_width", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    # at once all that it needs: whoever had read items and waits to write some would wait for the indexes to go, and it
    # for them
    op.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
    op.drop_index("item_waiting", "item")
    op.drop_index("item_in_batch", "item")
    op.create_index(
        "item_waiting",
        "item",
        ["lane_id", "headers_id", "tenant_id", "waiting_since"],
        postgresql_where=sa.text("waiting_since IS NOT NULL"),
    )
    op.create_index("item_in_batch", "item", ["batch_id"], postgresql_where=sa.text("batch_id IS NOT NULL"))
