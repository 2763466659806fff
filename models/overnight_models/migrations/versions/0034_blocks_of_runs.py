"""Items of a run are looked for in blocks of ids, in which a trigger notes them, and not by an index of each item.

Revision: 0034, after 0033
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

_TRIGGER = """
-- its plan is kept while the table grows: by the key from the beginning, and OFFSET keeps it one look-up for each block
CREATE FUNCTION note_run_blocks() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    -- one of these items is part of the key: two that write at once never wait for each other, and one row too many
    -- does no harm
    INSERT INTO run_block (run_id, block, place)
    SELECT run_id, block, place
    FROM (SELECT run_id, id / 250, min(id % 250) FROM new_rows WHERE run_id IS NOT NULL GROUP BY 1, 2)
         AS own (run_id, block, place)
    WHERE NOT EXISTS (
        SELECT FROM run_block there WHERE there.run_id = own.run_id AND there.block = own.block OFFSET 0
    );
    RETURN NULL;
END $$;
CREATE TRIGGER note_run_blocks AFTER INSERT ON item
REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_run_blocks()
"""
_THERE = """
INSERT INTO run_block (run_id, block, place)
SELECT run_id, id / 250, min(id % 250) FROM item WHERE run_id IS NOT NULL GROUP BY 1, 2
"""


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "run_block",
        sa.Column("run_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "block", "place"),
    )
    # at once all that it needs: whoever had read items and waits to write some would wait for the index to go, and it
    # for them
    op.execute("LOCK TABLE item IN ACCESS EXCLUSIVE MODE")
    op.execute(_TRIGGER)
    op.execute(_THERE)
    op.execute("DROP INDEX item_in_run")
