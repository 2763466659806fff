"""What was spent is added up by day, by triggers: what was billed over months is read in a moment.

Revision: 0040, after 0039
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"

_COUNTERS = (
    *("answers", "paid_twice", "unpriced", "cost_nano", "realtime_nano", "paid_twice_nano"),
    *("input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens"),
    *("output_tokens", "thinking_tokens", "thinking_nano"),
)
_NAMES = ", ".join(_COUNTERS)
_VALUES = ", ".join(
    "CASE WHEN paid_twice > 0 THEN cost_nano ELSE 0 END" if name == "paid_twice_nano" else name for name in _COUNTERS
)
_SUMS = ", ".join(f"sum({name} * sign)" for name in _COUNTERS)
_ROWS = f"""
SELECT {{sign}} AS sign, (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, model,
       {_VALUES.replace("ELSE 0 END", "ELSE 0 END AS paid_twice_nano")}
FROM {{rows}}
"""
_ADD = f"""
INSERT INTO daily_spending (day, lane_id, tenant_id, model, {_NAMES})
SELECT day, lane_id, tenant_id, model, {_SUMS} FROM ({{rows}}) AS change GROUP BY day, lane_id, tenant_id, model
"""
_TRIGGER = """
CREATE FUNCTION daily_spending_{event}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {add};
    RETURN NULL;
END $$;
CREATE TRIGGER daily_spending_{event} AFTER {event} ON spending REFERENCING {transition}
FOR EACH STATEMENT EXECUTE FUNCTION daily_spending_{event}()
"""


def upgrade() -> None:
    """Apply."""
    # at once all that it needs: no row may come between those that are added up here and those that triggers see
    op.execute("LOCK TABLE spending IN SHARE ROW EXCLUSIVE MODE")
    op.create_table(
        "daily_spending",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("lane_id", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _COUNTERS),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("daily_spending_by_day", "daily_spending", ["day"])
    new, old = _ROWS.format(sign="1", rows="new_rows"), _ROWS.format(sign="-1", rows="old_rows")
    for event, rows, transition in (
        ("insert", new, "NEW TABLE AS new_rows"),
        ("update", f"{new} UNION ALL {old}", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        ("delete", old, "OLD TABLE AS old_rows"),
    ):
        op.execute(_TRIGGER.format(event=event, add=_ADD.format(rows=rows), transition=transition))
    op.execute(_ADD.format(rows=_ROWS.format(sign="1", rows="spending")))
