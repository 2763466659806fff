"""Who is sent in real time next: tenants take turns, and the nearest deadline goes first.

Revision: 0015, after 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Apply."""
    op.drop_index("item_to_be_sent", "item")
    op.create_index(
        "item_to_be_sent",
        "item",
        ["lane_id", "headers_id", "model_id", "tenant_id", "direct_at", "id"],
        unique=False,
        postgresql_where=sa.text("direct_at IS NOT NULL AND held_by IS NULL"),
    )
    op.create_index(
        "item_to_be_sent_by_deadline",
        "item",
        ["lane_id", "headers_id", "model_id", "deadline"],
        unique=False,
        postgresql_where=sa.text("direct_at IS NOT NULL AND held_by IS NULL AND deadline IS NOT NULL"),
    )
