"""A run's bill is read by an index.

Revision: 0037, after 0036
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    """Apply."""
    op.create_index("spending_of_run", "spending", ["run_id"], postgresql_where=sa.text("run_id IS NOT NULL"))
