-- What ledger/money/settle.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _book, 1 of 3
-- batch_id = 1, costs = '{1}', ids = '{1}'
WITH part AS (
    SELECT lane_id, tenant_id, run_id, chain_id,
        coalesce(sum(reserved_nano) FILTER (WHERE item.batch_id = :batch_id), 0) AS ended,
        sum(coalesce(answer.cost, reserved_nano, 0)) AS spent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:costs AS bigint[])) AS answer(id, cost)
    JOIN item ON item.id = answer.id
    GROUP BY lane_id, tenant_id, run_id, chain_id
), in_budgets AS (
    SELECT budget.id AS own_id, part.*
    FROM part
    JOIN budget ON budget.chain_id IS NULL
        AND (budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id)
    UNION ALL
    SELECT budget.id, part.*
    FROM part
    JOIN budget ON budget.chain_id = part.chain_id
)
INSERT INTO booking(budget_id, begins, batch_id, reserved_nano, spent_nano)
SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
FROM in_budgets
JOIN (
    SELECT DISTINCT budget_id, begins
    FROM booking
    WHERE batch_id = :batch_id
    -- its bookings are folded by now: a submission that nobody knew of turned up
    UNION ALL
    SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
        batch.packed_at AT TIME ZONE 'UTC')::date END
    FROM batch, budget
    WHERE batch.id = :batch_id AND batch.state IN ('canceled', 'collected', 'failed', 'gone', 'split')
        AND (chain_id IS NULL OR chain_id IN (
        SELECT chain_id
        FROM part
    )) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE booking.batch_id = batch.id AND booking.budget_id = budget.id
    )
) own ON own.budget_id = own_id
GROUP BY own.budget_id, own.begins;

-- _book, 2 of 3
-- batch_id = 1, costs = '{null}', ids = '{1}'
WITH part AS (
    SELECT lane_id, tenant_id, run_id, chain_id, coalesce(sum(reserved_nano) FILTER (WHERE false),
        0) AS ended, sum(coalesce(answer.cost, reserved_nano, 0)) AS spent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:costs AS bigint[])) AS answer(id, cost)
    JOIN item ON item.id = answer.id
    GROUP BY lane_id, tenant_id, run_id, chain_id
), in_budgets AS (
    SELECT budget.id AS own_id, part.*
    FROM part
    JOIN budget ON budget.chain_id IS NULL
        AND (budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id)
    UNION ALL
    SELECT budget.id, part.*
    FROM part
    JOIN budget ON budget.chain_id = part.chain_id
)
INSERT INTO booking(budget_id, begins, batch_id, reserved_nano, spent_nano)
SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
FROM in_budgets
JOIN (
    SELECT DISTINCT budget_id, begins
    FROM booking
    WHERE batch_id = :batch_id
    -- its bookings are folded by now: a submission that nobody knew of turned up
    UNION ALL
    SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
        batch.packed_at AT TIME ZONE 'UTC')::date END
    FROM batch, budget
    WHERE batch.id = :batch_id AND batch.state IN ('canceled', 'collected', 'failed', 'gone', 'split')
        AND (chain_id IS NULL OR chain_id IN (
        SELECT chain_id
        FROM part
    )) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE booking.batch_id = batch.id AND booking.budget_id = budget.id
    )
) own ON own.budget_id = own_id
GROUP BY own.budget_id, own.begins;

-- _book, 3 of 3
-- batch_id = 1, costs = '{1}', ids = '{1}'
WITH part AS (
    SELECT lane_id, tenant_id, run_id, chain_id, coalesce(sum(reserved_nano) FILTER (WHERE true),
        0) AS ended, sum(coalesce(answer.cost, reserved_nano, 0)) AS spent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:costs AS bigint[])) AS answer(id, cost)
    JOIN item ON item.id = answer.id
    GROUP BY lane_id, tenant_id, run_id, chain_id
), in_budgets AS (
    SELECT budget.id AS own_id, part.*
    FROM part
    JOIN budget ON budget.chain_id IS NULL
        AND (budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id)
    UNION ALL
    SELECT budget.id, part.*
    FROM part
    JOIN budget ON budget.chain_id = part.chain_id
)
INSERT INTO booking(budget_id, begins, batch_id, reserved_nano, spent_nano)
SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
FROM in_budgets
JOIN (
    SELECT DISTINCT budget_id, begins
    FROM booking
    WHERE batch_id = :batch_id
    -- its bookings are folded by now: a submission that nobody knew of turned up
    UNION ALL
    SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
        batch.packed_at AT TIME ZONE 'UTC')::date END
    FROM batch, budget
    WHERE batch.id = :batch_id AND batch.state IN ('canceled', 'collected', 'failed', 'gone', 'split')
        AND (chain_id IS NULL OR chain_id IN (
        SELECT chain_id
        FROM part
    )) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE booking.batch_id = batch.id AND booking.budget_id = budget.id
    )
) own ON own.budget_id = own_id
GROUP BY own.budget_id, own.begins;

-- _reserve_items: Reserve for the items of these batches, in the budgets of `batch_id`.
-- batch_id = 1, in_batches = '{1}', submission_id = 1
WITH part AS (
    SELECT batch_id, lane_id, tenant_id, run_id, chain_id, sum(reserved_nano) AS nano
    FROM item
    WHERE batch_id = ANY(:in_batches) AND state = 'batched' AND reserved_nano IS NOT NULL
    GROUP BY batch_id, lane_id, tenant_id, run_id, chain_id
), in_budgets AS (
    SELECT budget.id AS own_id, part.*
    FROM part
    JOIN budget ON budget.chain_id IS NULL
        AND (budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id)
    UNION ALL
    SELECT budget.id, part.*
    FROM part
    JOIN budget ON budget.chain_id = part.chain_id
)
INSERT INTO booking(budget_id, begins, batch_id, submission_id, reserved_nano)
SELECT own.budget_id, own.begins, in_budgets.batch_id, :submission_id, sum(nano)
FROM in_budgets
JOIN (
    SELECT DISTINCT budget_id, begins
    FROM booking
    WHERE batch_id = :batch_id
) own ON own.budget_id = own_id
GROUP BY own.budget_id, own.begins, in_budgets.batch_id;

-- close: A batch is over: whatever is still reserved for it is free, but for what a lost submission may yet cost.
-- batch_id = 1
INSERT INTO booking(budget_id, begins, batch_id, submission_id, reserved_nano)
SELECT budget_id, begins, booking.batch_id, submission_id, -sum(reserved_nano)
FROM booking
LEFT JOIN submission ON submission.id = submission_id
WHERE booking.batch_id = :batch_id AND (submission_id IS NULL OR submission.state = 'done')
GROUP BY budget_id, begins, booking.batch_id, submission_id
HAVING sum(reserved_nano) <> 0;

-- end_calls: Direct calls have ended: by item, what was reserved for each, and what it cost.
-- batch_id = 1, costs = '{1}', ids = '{1}', reserved = '{1}'
WITH part AS (
    SELECT lane_id, tenant_id, run_id, chain_id, coalesce(sum(call.reserved), 0) AS ended,
        sum(coalesce(call.cost, call.reserved, 0)) AS spent
    FROM unnest(CAST(:ids AS bigint[]), CAST(:reserved AS bigint[]), CAST(:costs AS bigint[])) AS call(id,
        reserved, cost)
    JOIN item ON item.id = call.id
    GROUP BY lane_id, tenant_id, run_id, chain_id
), in_budgets AS (
    SELECT budget.id AS own_id, part.*
    FROM part
    JOIN budget ON budget.chain_id IS NULL
        AND (budget.lane_id = part.lane_id OR budget.tenant_id = part.tenant_id OR budget.run_id = part.run_id)
    UNION ALL
    SELECT budget.id, part.*
    FROM part
    JOIN budget ON budget.chain_id = part.chain_id
)
INSERT INTO booking(budget_id, begins, batch_id, reserved_nano, spent_nano)
SELECT own.budget_id, own.begins, :batch_id, -sum(ended), sum(spent)
FROM in_budgets
JOIN (
    SELECT DISTINCT budget_id, begins
    FROM booking
    WHERE batch_id = :batch_id
) own ON own.budget_id = own_id
GROUP BY own.budget_id, own.begins;

-- fold: Add up what is booked for batches that are over, to one row for each budget and period. Returns how many it had.
-- final = '{text}'
WITH over AS (
    SELECT batch.id
    FROM batch
    WHERE state = ANY(:final) AND id IN (
        SELECT batch_id
        FROM booking
    ) AND NOT EXISTS (
        SELECT
        FROM submission
        WHERE batch_id = batch.id AND submission.state NOT IN ('void', 'done')
    ) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE batch_id = batch.id
        GROUP BY budget_id, begins, submission_id
        HAVING sum(reserved_nano) <> 0
    )
    UNION ALL
    SELECT batch_number
    FROM direct_claim
    WHERE done_at IS NOT NULL AND batch_number IN (
        SELECT batch_id
        FROM booking
    ) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE batch_id = batch_number
        GROUP BY budget_id, begins
        HAVING sum(reserved_nano) <> 0
    )
), folded AS (
    DELETE FROM booking USING over
    WHERE booking.batch_id = over.id
    RETURNING budget_id, begins, reserved_nano, spent_nano
), added AS (
    INSERT INTO booking(budget_id, begins, reserved_nano, spent_nano)
    SELECT budget_id, begins, sum(reserved_nano), sum(spent_nano)
    FROM folded
    GROUP BY budget_id, begins
    ON CONFLICT (budget_id, begins)
    WHERE batch_id IS NULL DO UPDATE SET reserved_nano = booking.reserved_nano + excluded.reserved_nano,
        spent_nano = booking.spent_nano + excluded.spent_nano
)
SELECT
FROM folded;

-- is_budgeted: Whether budgets have reserved anything for a batch, or had until it was over; most often nobody set any.
-- id = 1
SELECT true
FROM budget
JOIN booking ON booking.budget_id = budget.id
WHERE batch_id = :id
UNION ALL
SELECT true
FROM budget, batch
WHERE batch.id = :id AND batch.state IN ('canceled', 'collected', 'failed', 'gone', 'split')
LIMIT 1;

