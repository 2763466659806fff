"""Item ids, the tally of items and deliveries by state, and the bill.

Revision: 0002, after 0001
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_TALLY = """
CREATE FUNCTION tally_{table}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO tally (noun, lane_id, run_id, headers_id, state, n, bytes)
    SELECT '{table}', lane_id, run_id, headers_id, state, sum(n), sum(n * bytes)
    FROM ({changes}) AS change (lane_id, run_id, headers_id, state, n, bytes)
    GROUP BY lane_id, run_id, headers_id, state
    HAVING sum(n) <> 0 OR sum(n * bytes) <> 0;
    RETURN NULL;
END $$
"""

_BILL = """
CREATE VIEW bill AS
SELECT item_id, submission_id, true AS kept, model, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       cache_read_tokens, output_tokens, thinking_tokens, cost_nano, realtime_nano, finished_at
FROM outcome WHERE billed
UNION ALL
SELECT item_id, submission_id, false, model, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       cache_read_tokens, output_tokens, thinking_tokens, cost_nano, realtime_nano, finished_at
FROM double
"""

_NEW = "SELECT {columns}, state, 1, {bytes} FROM new_rows"
_OLD = "SELECT {columns}, state, -1, {bytes} FROM old_rows"


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE SEQUENCE item_id CACHE 1")
    op.execute(_BILL)
    for table, columns, size in (
        ("item", "lane_id, run_id, headers_id", "size"),
        ("delivery", "lane_id, NULL::integer, NULL::integer", "0"),
    ):
        new, old = (half.format(columns=columns, bytes=size) for half in (_NEW, _OLD))
        for event, changes, transition in (
            ("insert", new, "NEW TABLE AS new_rows"),
            ("update", f"{new} UNION ALL {old}", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
        ):
            function = _TALLY.replace("tally_{table}", f"tally_{table}_{event}")
            op.execute(function.format(table=table, changes=changes))
            op.execute(
                f"CREATE TRIGGER tally_{event} AFTER {event} ON {table} REFERENCING {transition}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION tally_{table}_{event}()"
            )
