-- What ledger/money/plans.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- errors: Of each lane with plans that are billed: the latest twenty together.
-- latest = 1
SELECT lane.name AS lane, (sum(latest.billed_cost_nano) / sum(latest.cost_nano))::float - 1 AS ratio
FROM lane
CROSS JOIN LATERAL (
    SELECT billed_cost_nano, cost_nano
    FROM plan
    WHERE lane_id = lane.id AND billed_at IS NOT NULL
    ORDER BY billed_at DESC
    LIMIT :latest
) latest
GROUP BY lane.name
HAVING sum(latest.cost_nano) > 0
ORDER BY lane.name;

-- keep: Keep a plan; its id. document: all of it, as JSON.
-- cost_nano = 1, cost_nano_high = 1, cost_nano_low = 1, document = 'text', items = 1, lane_id = 1, run_id = 1, tokens_in = 1, tokens_in_high = 1, tokens_in_low = 1, tokens_out = 1, tokens_out_high = 1, tokens_out_low = 1
INSERT INTO plan(run_id, lane_id, items, tokens_in, tokens_in_low, tokens_in_high, tokens_out,
    tokens_out_low, tokens_out_high, cost_nano, cost_nano_low, cost_nano_high, document) VALUES (:run_id,
    :lane_id, :items, :tokens_in, :tokens_in_low, :tokens_in_high, :tokens_out, :tokens_out_low,
    :tokens_out_high, :cost_nano, :cost_nano_low, :cost_nano_high, :document)
RETURNING id;

-- kept: The newest plan of a run, with its bill so far.
-- final = '{text}', run = 'text'
SELECT run.name AS run, lane.name AS lane, made_at, plan.items, plan.tokens_in, tokens_in_low,
    tokens_in_high, plan.tokens_out, tokens_out_low, tokens_out_high, plan.cost_nano, cost_nano_low,
    cost_nano_high, coalesce(billed_items, so_far.items, 0) AS billed_items, coalesce(billed_tokens_in,
    so_far.tokens_in, 0) AS billed_tokens_in, coalesce(billed_tokens_out, so_far.tokens_out,
    0) AS billed_tokens_out, coalesce(billed_cost_nano, so_far.cost_nano, 0) AS billed_cost_nano,
    coalesce(there.items, 0)::bigint AS there, coalesce(there.unfinished, 0)::bigint AS unfinished
FROM plan
JOIN run ON run.id = plan.run_id
JOIN lane ON lane.id = plan.lane_id
LEFT JOIN LATERAL (
    SELECT run_id, sum(answers)::bigint AS items,
        sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens)::bigint AS tokens_in, sum(output_tokens)::bigint AS tokens_out, coalesce(sum(cost_nano), 0)::bigint AS cost_nano
    FROM spending
    WHERE spending.run_id = plan.run_id AND plan.billed_at IS NULL
    GROUP BY spending.run_id
) so_far ON true
LEFT JOIN LATERAL (
    SELECT sum(n) AS items, sum(n) FILTER (WHERE NOT state = ANY(:final)) AS unfinished
    FROM tally
    WHERE noun = 'item' AND tally.run_id = plan.run_id
) there ON true
WHERE run.name = :run
ORDER BY plan.id DESC
LIMIT 1;

-- past: The latest plans of a lane whose runs are done, the newest first: of each run the last plan made.
-- lane = 'text', limit = 1
SELECT run.name AS run, lane.name AS lane, made_at, plan.items, plan.tokens_in, tokens_in_low,
    tokens_in_high, plan.tokens_out, tokens_out_low, tokens_out_high, plan.cost_nano, cost_nano_low,
    cost_nano_high, billed_items, billed_tokens_in, billed_tokens_out, billed_cost_nano, plan.items AS there,
    0 AS unfinished
FROM (
    SELECT DISTINCT ON (run_id) *
    FROM plan
    WHERE billed_at IS NOT NULL AND lane_id = (
        SELECT id
        FROM lane
        WHERE name = :lane
    )
    ORDER BY run_id, id DESC
) plan
JOIN run ON run.id = plan.run_id
JOIN lane ON lane.id = plan.lane_id
ORDER BY plan.billed_at DESC, plan.id DESC
LIMIT :limit;

-- settle: Put the bill beside each plan whose run is done: all of it is there and final. Returns how many.
-- final = '{text}'
WITH run_of AS (
    SELECT run_id, sum(n) AS items, sum(n) FILTER (WHERE NOT state = ANY(:final)) AS unfinished
    FROM tally
    WHERE noun = 'item' AND run_id IN (
        SELECT run_id
        FROM plan
        WHERE billed_at IS NULL
    )
    GROUP BY run_id
), done AS (
    SELECT plan.id, plan.run_id
    FROM plan
    JOIN run_of ON run_of.run_id = plan.run_id
    WHERE billed_at IS NULL AND coalesce(run_of.unfinished, 0) = 0
        AND (run_of.items >= plan.items OR plan.made_at < now() - interval '1 day')
), bills AS (
    SELECT run_id, sum(answers)::bigint AS items,
        sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens)::bigint AS tokens_in, sum(output_tokens)::bigint AS tokens_out, coalesce(sum(cost_nano), 0)::bigint AS cost_nano
    FROM spending
    WHERE run_id IN (
        SELECT run_id
        FROM done
    )
    GROUP BY run_id
)
UPDATE plan
SET billed_at = now(), billed_items = bills.items, billed_tokens_in = bills.tokens_in,
    billed_tokens_out = bills.tokens_out, billed_cost_nano = bills.cost_nano
FROM done
JOIN bills ON bills.run_id = done.run_id
WHERE plan.id = done.id;

