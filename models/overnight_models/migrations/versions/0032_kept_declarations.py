"""A schedule remembers its catalog's declaration: a run whose file can't be used tells whom that names.

Revision: 0032, after 0031
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Apply."""
    op.add_column("catalog_schedule", sa.Column("declaration", sa.Text(), nullable=True))
