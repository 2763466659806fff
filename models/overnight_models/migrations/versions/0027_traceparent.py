"""The span within which an item was enqueued.

Revision: 0027, after 0026
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Apply."""
    op.add_column("request", sa.Column("traceparent", sa.Text(), nullable=True))
