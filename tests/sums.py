"""Sums that the ledger keeps, beside what they are sums of; and what `overnight costs` prints of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Rows = Callable[[str], Sequence[Mapping[str, Any]]]
"""Whoever asks the ledger."""


_SUMMED = ", ".join(
    f"sum({name})::bigint AS {name}"
    for name in (
        *("answers", "paid_twice", "unpriced", "cost_nano", "realtime_nano", "input_tokens", "cache_write_5m_tokens"),
        *("cache_write_1h_tokens", "cache_read_tokens", "output_tokens", "thinking_tokens", "thinking_nano"),
    )
)
OF_DAYS = f"""
    WITH kept AS (
        SELECT day, lane_id, tenant_id, model, sum(paid_twice_nano)::bigint AS twice_nano, {_SUMMED}
        FROM daily_spending GROUP BY 1, 2, 3, 4 HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0
    ), spent AS (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, model,
               coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0), 0)::bigint AS twice_nano, {_SUMMED}
        FROM spending GROUP BY 1, 2, 3, 4
    )
    (TABLE kept EXCEPT TABLE spent) UNION ALL (TABLE spent EXCEPT TABLE kept)
"""
"""Sums of a day that aren't those of the spending, and the other way round."""


UNFINISHED = """
    WITH kept AS (
        SELECT lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens,
               sum(n)::bigint AS n, sum(bytes)::bigint AS bytes, sum(max_tokens)::bigint AS max_tokens
        FROM unfinished_sum GROUP BY 1, 2, 3, 4, 5, 6, 7
        HAVING sum(n) <> 0 OR sum(bytes) <> 0 OR sum(max_tokens) <> 0
    ), there AS (
        SELECT lane_id, headers_id, batch_id, model_id, state,
               state IN ('direct', 'racing') OR direct_at IS NOT NULL AS in_real_time,
               ((size + 2000 + 49999) / 50000) * 50000 AS up_to_tokens,
               count(*) AS n, sum(size)::bigint AS bytes, sum(max_tokens)::bigint AS max_tokens
        FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone') AND NOT cancel_wanted
        GROUP BY 1, 2, 3, 4, 5, 6, 7
    )
    (TABLE kept EXCEPT TABLE there) UNION ALL (TABLE there EXCEPT TABLE kept)
"""
"""Sums that aren't those of the items, and the other way round."""


def assert_sums_are_right(rows: Rows) -> None:
    """The tally is what `count(*)` finds, the spending is the bill, and no item is missing in its run or its sum."""
    tally = rows(
        """
        WITH tallied AS (
            SELECT noun, state, sum(n)::bigint AS n FROM tally GROUP BY noun, state HAVING sum(n) <> 0
        ), counted AS (
            SELECT 'item' AS noun, state, count(*) AS n FROM item GROUP BY state
            UNION ALL SELECT 'delivery', state, count(*) FROM every_delivery GROUP BY state
            UNION ALL SELECT 'problem', problem, count(*) FROM outcome WHERE problem IS NOT NULL GROUP BY problem
        )
        SELECT * FROM tallied FULL JOIN counted USING (noun, state) WHERE tallied.n IS DISTINCT FROM counted.n
        """
    )
    assert tally == [], "the tally"
    spending = rows(
        """
        WITH spent AS (
            SELECT submission_id, sum(answers)::bigint AS answers, sum(paid_twice)::bigint AS doubles,
                   sum(cost_nano)::bigint AS nano
            FROM spending GROUP BY submission_id
        ), billed AS (
            SELECT submission_id, count(*) AS answers, count(*) FILTER (WHERE NOT kept) AS doubles,
                   sum(cost_nano)::bigint AS nano
            FROM bill GROUP BY submission_id
        )
        SELECT * FROM spent FULL JOIN billed USING (submission_id)
        WHERE (spent.answers, spent.doubles, spent.nano) IS DISTINCT FROM (billed.answers, billed.doubles, billed.nano)
        """
    )
    assert spending == [], "the spending"
    assert rows(OF_DAYS) == [], "the spending of days"
    assert rows(UNFINISHED) == [], "the unfinished items"
    outside = rows(
        """
        SELECT id, run_id FROM item
        WHERE run_id IS NOT NULL
          AND NOT EXISTS (SELECT FROM run_block WHERE run_block.run_id = item.run_id AND block = item.id / 250)
        """
    )
    assert outside == [], "the blocks of runs"


@dataclass(frozen=True)
class Printed:
    """What `overnight costs --json` says was billed."""

    answers: int
    nano: int
    realtime_nano: int
    paid_twice: int

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Printed:
        """One of its entries."""
        return cls(
            document["answers"], nano(document["cost_usd"]), nano(document["realtime_cost_usd"]), document["paid_twice"]
        )


def printed(output: str) -> dict[str, Printed]:
    """By name, and of `all`."""
    document = json.loads(output)
    return {row["name"]: Printed.of(row) for row in (*document["costs"], document["total"])}


def nano(usd: str) -> int:
    """Dollars, as a decimal string, in whole nano-dollars."""
    return int(Decimal(usd) * 1_000_000_000)
