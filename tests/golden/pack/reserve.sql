-- What ledger/pack/reserve.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _lock_budgets, 1 of 4: The ids of the budgets that the candidates have; those of chains have the cap that their lane has now.
SET LOCAL lock_timeout = '90s';

-- _lock_budgets, 2 of 4: The ids of the budgets that the candidates have; those of chains have the cap that their lane has now.
-- cap = 1, ids = '{1}'
UPDATE budget
SET cap_nano = :cap
WHERE id = ANY(:ids) AND chain_id IS NOT NULL AND cap_nano <> :cap;

-- _lock_budgets, 3 of 4: The ids of the budgets that the candidates have; those of chains have the cap that their lane has now.
-- asked = '{1}'
WITH candidate AS (
    SELECT *
    FROM item
    WHERE id = ANY(:asked)
)
SELECT id
FROM budget
WHERE id = ANY(ARRAY(
    SELECT id
    FROM budget
    WHERE chain_id IS NULL AND (lane_id IN (
        SELECT lane_id
        FROM candidate
    ) OR tenant_id IN (
        SELECT tenant_id
        FROM candidate
    ) OR run_id IN (
        SELECT run_id
        FROM candidate
    ))
    UNION ALL
    SELECT budget.id
    FROM (
        SELECT DISTINCT chain_id
        FROM candidate
    ) own
    JOIN budget USING (chain_id)
))
ORDER BY id
FOR NO KEY UPDATE;

-- _lock_budgets, 4 of 4: The ids of the budgets that the candidates have; those of chains have the cap that their lane has now.
-- each = 1, headers_id = 1, lane_id = 1, max_items = 1, tenants = '{1}'
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
        row_number() OVER (ORDER BY turn, waiting_since, id) AS position
    FROM (
        SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY waiting_since, id) AS turn
        FROM (
            SELECT next.*
            FROM unnest(CAST(:tenants AS integer[])) AS head(tenant_id)
            CROSS JOIN LATERAL (
                SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
                    waiting_since
                FROM item
                WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
                    AND item.headers_id = :headers_id
                    AND (item.direct_at IS NULL OR item.direct_at > now())
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND item.tenant_id = head.tenant_id
                ORDER BY tenant_id, waiting_since, id
                LIMIT :each
            ) next
            UNION ALL (
                SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
                    waiting_since
                FROM item
                WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
                    AND item.headers_id = :headers_id
                    AND (item.direct_at IS NULL OR item.direct_at > now())
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND tenant_id IS NULL
                ORDER BY tenant_id, waiting_since, id
                LIMIT :each
            )
        ) of_each
    ) queued
    ORDER BY turn, waiting_since, id
    LIMIT :max_items
)
SELECT id
FROM budget
WHERE id = ANY(ARRAY(
    SELECT id
    FROM budget
    WHERE chain_id IS NULL AND (lane_id IN (
        SELECT lane_id
        FROM candidate
    ) OR tenant_id IN (
        SELECT tenant_id
        FROM candidate
    ) OR run_id IN (
        SELECT run_id
        FROM candidate
    ))
    UNION ALL
    SELECT budget.id
    FROM (
        SELECT DISTINCT chain_id
        FROM candidate
    ) own
    JOIN budget USING (chain_id)
))
ORDER BY id
FOR NO KEY UPDATE;

-- _reserve_calls, 1 of 2: The same for what is being sent in real time.
-- budget_id = 1
INSERT INTO booking(budget_id, begins, batch_id, reserved_nano)
SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END, direct_claim.batch_number, coalesce(sum(direct_call.reserved_nano),
    0)
FROM budget, item, direct_call
JOIN direct_claim ON direct_claim.id = direct_call.claim_id
WHERE budget.id = :budget_id AND item.id = direct_call.item_id
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id)
GROUP BY budget.id, direct_claim.batch_number;

-- _reserve_calls, 2 of 2: The same for what is being sent in real time.
-- budget_id = 1, rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
)
UPDATE direct_call
SET reserved_nano = (item.size + 2000) * rate.input_nano + item.max_tokens::bigint * rate.output_nano
FROM item, budget, rate
WHERE budget.id = :budget_id AND item.id = direct_call.item_id
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id) AND direct_call.reserved_nano IS NULL AND rate.model_id = item.model_id AND item.size + 2000 > rate.above AND item.size + 2000 <= rate.up_to;

-- allowance, 1 of 2: Lock the budgets that the candidates have, and look how much room there is. None when no item can have any.
-- lane_id = 1
SELECT EXISTS (
    SELECT
    FROM budget
    WHERE chain_id IS NULL AND (lane_id IS NULL OR lane_id = :lane_id)
) OR EXISTS (
    SELECT
    FROM chain
    WHERE lane_id = :lane_id
);

-- allowance, 2 of 2: Lock the budgets that the candidates have, and look how much room there is. None when no item can have any.
-- ids = '{1}'
SELECT id AS budget_id, lane_id, tenant_id, run_id, chain_id, strict, (CASE budget.period
    WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END)::text AS begins, cap_nano, (budget.cap_nano - coalesce(
    (
        SELECT sum(reserved_nano + spent_nano)
        FROM booking
        WHERE budget_id = budget.id AND begins = CASE budget.period WHEN 'all' THEN date 'epoch'
            ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END
    ), 0
))::bigint AS nano
FROM budget
WHERE id = ANY(:ids);

-- reserve_under_way, 1 of 2: A budget is new: what is on its way already is reserved in its present period, the most that it may cost.
-- budget_id = 1, unfinished = '{text}'
WITH may_be_billed AS (
    SELECT id AS batch_id, NULL AS submission_id
    FROM batch
    WHERE state = ANY(:unfinished)
    UNION ALL
    SELECT batch_id, id
    FROM submission
    WHERE state = 'lost'
)
INSERT INTO booking(budget_id, begins, batch_id, submission_id, reserved_nano)
SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END, batch.id, submission_id, coalesce(sum(item.reserved_nano), 0)
FROM budget, batch
JOIN may_be_billed ON may_be_billed.batch_id = batch.id, item
WHERE budget.id = :budget_id AND batch.state = ANY(:unfinished) AND item.batch_id = batch.id
    AND item.state = 'batched'
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id)
GROUP BY budget.id, batch.id, submission_id;

-- reserve_under_way, 2 of 2: A budget is new: what is on its way already is reserved in its present period, the most that it may cost.
-- budget_id = 1, rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', unfinished = '{text}'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
)
UPDATE item
SET reserved_nano = (item.size + 2000) * rate.input_nano + item.max_tokens::bigint * rate.output_nano
FROM batch, budget, rate
WHERE budget.id = :budget_id AND batch.state = ANY(:unfinished) AND item.batch_id = batch.id
    AND item.state = 'batched'
    AND (item.lane_id = budget.lane_id OR item.tenant_id = budget.tenant_id OR item.run_id = budget.run_id) AND item.reserved_nano IS NULL AND rate.model_id = item.model_id AND item.size + 2000 > rate.above AND item.size + 2000 <= rate.up_to;

