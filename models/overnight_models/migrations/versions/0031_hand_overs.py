"""Outcomes that are handed over at once need no row of `delivery`; the view `every_delivery` shows those too.

Revision: 0031, after 0030
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0031"
down_revision = "0030"

_EVERY_DELIVERY = """
CREATE VIEW every_delivery AS
SELECT item_id, lane_id, target_id, state, size, due_at, tries, generation, error FROM delivery
UNION ALL
SELECT item.id, item.lane_id, item.target_id,
       CASE WHEN EXISTS (SELECT FROM hand_over
                         WHERE item.id BETWEEN hand_over.id AND hand_over.last_item
                           AND item.id = ANY(hand_over.item_ids)) THEN 'sending' ELSE 'delivered' END,
       (coalesce(outcome.body_size, octet_length(outcome.message), 0) + item.callback_size) * 21 / 20 + 1700,
       outcome.finished_at, 1::smallint, 0::smallint, NULL
FROM item JOIN outcome ON outcome.item_id = item.id
WHERE outcome.handed_over
  AND NOT EXISTS (SELECT FROM delivery WHERE delivery.item_id = item.id)
  AND NOT EXISTS (SELECT FROM kept
                  WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL)
"""


def upgrade() -> None:
    """Apply."""
    op.add_column("outcome", sa.Column("handed_over", sa.Boolean(), server_default="false", nullable=False))
    op.create_table(
        "hand_over",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_item", sa.BigInteger(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("item_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.CheckConstraint("items > 0", name="a_hand_over_has_items"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.add_column(
        "deployment", sa.Column("deliveries_without_rows", sa.Boolean(), server_default="false", nullable=False)
    )
    op.execute(_EVERY_DELIVERY)
