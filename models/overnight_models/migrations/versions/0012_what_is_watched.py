"""The tally counts outcomes by problem too, and a workspace knows when its list was read: both are watched.

Revision: 0012, after 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

# row by row, for the few with a problem: the answers of a whole statement would be copied for a look at none of them
_COUNT = """
CREATE FUNCTION tally_problem() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (noun, lane_id, state, n, bytes)
    SELECT 'problem', lane_id, NEW.problem, 1, 0 FROM item WHERE id = NEW.item_id;
    RETURN NULL;
END $$
"""
_TRIGGER = """
CREATE TRIGGER tally_problem AFTER INSERT ON outcome
FOR EACH ROW WHEN (NEW.problem IS NOT NULL) EXECUTE FUNCTION tally_problem()
"""


def upgrade() -> None:
    """Apply."""
    op.add_column("workspace", sa.Column("read_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(_COUNT)
    op.execute(_TRIGGER)
    op.execute(
        "INSERT INTO tally (noun, lane_id, state, n, bytes)"
        " SELECT 'problem', item.lane_id, problem, count(*), 0"
        " FROM outcome JOIN item ON item.id = outcome.item_id WHERE problem IS NOT NULL GROUP BY 2, 3"
    )
