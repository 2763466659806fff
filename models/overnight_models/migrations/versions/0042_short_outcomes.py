"""Outcomes leave out what most have in common: counts of 0, the road of batches, the name of a model that has a number.

Revision: 0042, after 0041
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"

_LEFT_OUT = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens", "thinking_tokens", "via")
_WHOLE = """
CREATE VIEW whole_outcome AS
SELECT item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens,
       coalesce(cache_write_5m_tokens, 0) AS cache_write_5m_tokens,
       coalesce(cache_write_1h_tokens, 0) AS cache_write_1h_tokens,
       coalesce(cache_read_tokens, 0) AS cache_read_tokens, output_tokens,
       coalesce(thinking_tokens, 0) AS thinking_tokens, attempts, ok, retryable, billed,
       coalesce(via, 'batch') AS via, problem, detail,
       coalesce(model, (SELECT name FROM model WHERE model.id = model_id)) AS model, api_batch_id, message,
       body_group, body_place, body_size, handed_over
FROM outcome
"""
_BILL = """
CREATE OR REPLACE VIEW bill AS
SELECT item_id, submission_id, true AS kept, model, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       cache_read_tokens, output_tokens, thinking_tokens, cost_nano, realtime_nano, finished_at
FROM whole_outcome WHERE billed
UNION ALL
SELECT item_id, submission_id, false, model, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
       cache_read_tokens, output_tokens, thinking_tokens, cost_nano, realtime_nano, finished_at
FROM double
"""


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "deployment", sa.Column("short_outcomes", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("outcome", sa.Column("model_id", sa.Integer(), nullable=True))
    for column in _LEFT_OUT:
        op.alter_column("outcome", column, nullable=True)
    op.execute(_WHOLE)
    op.execute(_BILL)
