"""The items of a run are counted by an index, however many runs there have been.

Revision: 0039, after 0038
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    """Apply."""
    of_run = sa.text("noun = 'item' AND run_id IS NOT NULL")
    op.create_index("tally_of_run", "tally", ["run_id"], postgresql_where=of_run)
