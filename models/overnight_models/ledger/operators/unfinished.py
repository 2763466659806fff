"""Unfinished items, added up by what their price depends on: what a million of them may cost is read in a moment."""

from __future__ import annotations

from typing import Final

from overnight_models.ledger.connection import Connection
from overnight_models.ledger.pack.rates import Rates
from overnight_models.ledger.rows import execute

STEP_TOKENS: Final = 50_000
"""The bounds of prompts are rounded up to a multiple of this; migration 0041 does it by the same number."""

_KEYS: Final = "lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens"
_COUNTED: Final = "n, bytes, max_tokens"


def are_exact(rates: Rates) -> bool:
    """Whether the sums tell prices apart: each price ends where a step does."""
    return all(rate.above_tokens % STEP_TOKENS == 0 for of_model in rates.values() for rate in of_model)


def fold(connection: Connection) -> int:
    """Add up the changes, as `rescue.fold_tally` does. Returns how many sums it wrote."""
    return execute(
        connection,
        f"""
        WITH changed AS MATERIALIZED (
            SELECT {_KEYS} FROM unfinished_sum GROUP BY {_KEYS}
            HAVING count(*) > 1 OR bool_and(n = 0 AND bytes = 0 AND max_tokens = 0)
        ), folded AS (
            DELETE FROM unfinished_sum part USING changed
            WHERE (part.lane_id, part.headers_id, part.model_id, part.state, part.in_real_time, part.up_to_tokens)
                = (changed.lane_id, changed.headers_id, changed.model_id, changed.state, changed.in_real_time,
                   changed.up_to_tokens)
              AND part.batch_id IS NOT DISTINCT FROM changed.batch_id
            RETURNING part.*
        )
        INSERT INTO unfinished_sum ({_KEYS}, {_COUNTED})
        SELECT {_KEYS}, sum(n), sum(bytes), sum(max_tokens) FROM folded
        GROUP BY {_KEYS} HAVING sum(n) <> 0 OR sum(bytes) <> 0 OR sum(max_tokens) <> 0
        """,
    )
