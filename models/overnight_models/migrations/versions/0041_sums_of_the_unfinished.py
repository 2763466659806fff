"""Unfinished items are added up, by triggers, by what their price depends on: what many may cost is read in a moment.

Revision: 0041, after 0040
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

_KEYS = "lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens"
_ROWS = """
SELECT {sign} AS n, lane_id, headers_id, batch_id, model_id, state,
       state IN ('direct', 'racing') OR direct_at IS NOT NULL AS in_real_time,
       (size + 51999) / 50000 * 50000 AS up_to_tokens, size, max_tokens
FROM {rows}
WHERE state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'following') AND NOT cancel_wanted
"""
_ADD = f"""
INSERT INTO unfinished_sum ({_KEYS}, n, bytes, max_tokens)
SELECT {_KEYS}, sum(n), sum(n * size), sum(n * max_tokens::bigint)
FROM ({{rows}}) AS change
GROUP BY {_KEYS}
HAVING sum(n) <> 0 OR sum(n * size) <> 0 OR sum(n * max_tokens::bigint) <> 0
"""
_TRIGGER = """
CREATE FUNCTION unfinished_sum_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {add};
    RETURN NULL;
END $$;
CREATE TRIGGER unfinished_sum_{event} AFTER {event} ON item REFERENCING {transition}
FOR EACH STATEMENT EXECUTE FUNCTION unfinished_sum_{event}()
"""


def upgrade() -> None:
    """Apply."""
    # at once all that it needs: no item may come between those that are added up here and those that triggers see
    op.execute("LOCK TABLE item IN SHARE ROW EXCLUSIVE MODE")
    op.create_table(
        "unfinished_sum",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("headers_id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.BigInteger(), nullable=True),
        sa.Column("model_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("in_real_time", sa.Boolean(), nullable=False),
        sa.Column("up_to_tokens", sa.Integer(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("max_tokens", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    new, old = _ROWS.format(sign="1", rows="new_rows"), _ROWS.format(sign="-1", rows="old_rows")
    for event, rows, transition in (
        ("insert", new, "NEW TABLE AS new_rows"),
        ("update", f"{new} UNION ALL {old}", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    ):
        op.execute(_TRIGGER.format(event=event, add=_ADD.format(rows=rows), transition=transition))
    op.execute(_ADD.format(rows=_ROWS.format(sign="1", rows="item")))
