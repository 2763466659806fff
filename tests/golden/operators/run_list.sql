-- What ledger/operators/run_list.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- page, 1 of 2: The newest runs whose names begin so and that are older; and before which the next page is, if any.
-- ids = '{1}'
SELECT run_id, state, sum(n)::bigint AS n
FROM tally
WHERE noun = 'item' AND run_id = ANY(:ids) AND state <> 'redone'
GROUP BY run_id, state
HAVING sum(n) > 0
ORDER BY run_id, n DESC;

-- page, 2 of 2: The newest runs whose names begin so and that are older; and before which the next page is, if any.
-- before = null, limit = 1, prefix = 'text'
WITH chosen AS (
    SELECT id, name, created_at
    FROM run
    WHERE starts_with(name, :prefix) AND (CAST(:before AS integer) IS NULL OR id < :before)
    ORDER BY id DESC
    LIMIT :limit
), spent AS (
    -- one pass over what was added up, and not one a run
    SELECT run_id, sum(cost_nano)::bigint AS cost_nano, sum(realtime_nano)::bigint AS realtime_nano,
        sum(unpriced)::bigint AS unpriced
    FROM spending
    WHERE run_id IN (
        SELECT id
        FROM chosen
    )
    GROUP BY run_id
)
SELECT chosen.id, chosen.name, chosen.created_at, coalesce(cost_nano, 0) AS cost_nano,
    coalesce(realtime_nano, 0) AS realtime_nano, coalesce(unpriced, 0) AS unpriced
FROM chosen
LEFT JOIN spent ON spent.run_id = chosen.id
ORDER BY chosen.id DESC;

-- planned: The newest plans.
-- limit = 1
SELECT run.name AS run, lane.name AS lane, made_at, items, cost_nano, cost_nano_low, cost_nano_high,
    billed_at, billed_items, billed_cost_nano
FROM (
    SELECT *
    FROM plan
    ORDER BY id DESC
    LIMIT :limit
) plan
JOIN run ON run.id = plan.run_id
JOIN lane ON lane.id = plan.lane_id
ORDER BY plan.id DESC;

