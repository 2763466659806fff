-- What ledger/retention/money.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- forget_money, 1 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- batches = '{}'
DELETE FROM batch
WHERE id = ANY(:batches);

-- forget_money, 2 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- batches = '{}'
DELETE FROM caching
WHERE submission_id IN (
    SELECT id
    FROM submission
    WHERE batch_id = ANY(:batches)
);

-- forget_money, 3 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- befores = '{2026-11-29}', lanes = '{1}', limit = 1
DELETE FROM direct_claim
WHERE id = ANY(ARRAY(
    SELECT direct_claim.id
    FROM direct_claim
    JOIN unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due(lane_id,
        before) ON due.lane_id = direct_claim.lane_id
    WHERE direct_claim.done_at < due.before AND NOT EXISTS (
        SELECT
        FROM direct_call
        WHERE claim_id = direct_claim.id
    ) AND NOT EXISTS (
        SELECT
        FROM booking
        WHERE booking.batch_id = direct_claim.batch_number
    )
    LIMIT :limit
));

-- forget_money, 4 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- befores = '{2026-11-29}', lanes = '{1}', limit = 1
DELETE FROM maybe_billed
WHERE id = ANY(ARRAY(
    SELECT maybe_billed.id
    FROM maybe_billed
    JOIN unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due(lane_id,
        before) ON due.lane_id = maybe_billed.lane_id
    WHERE maybe_billed.at < due.before
    LIMIT :limit
));

-- forget_money, 5 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- befores = '{2026-11-29}', lanes = '{1}', limit = 1
DELETE FROM plan
WHERE id = ANY(ARRAY(
    SELECT plan.id
    FROM plan
    JOIN unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due(lane_id,
        before) ON due.lane_id = plan.lane_id
    WHERE plan.made_at < due.before AND plan.billed_at IS NOT NULL
    LIMIT :limit
));

-- forget_money, 6 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- batches = '{}'
DELETE FROM primer
WHERE batch_id = ANY(:batches);

-- forget_money, 7 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- befores = '{2026-11-29}', lanes = '{1}', limit = 1
DELETE FROM spending
WHERE id = ANY(ARRAY(
    SELECT spending.id
    FROM spending
    JOIN unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due(lane_id,
        before) ON due.lane_id = spending.lane_id
    WHERE spending.at < due.before
    LIMIT :limit
));

-- forget_money, 8 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- batches = '{}'
DELETE FROM submission
WHERE batch_id = ANY(:batches);

-- forget_money, 9 of 9: What was spent, and batches, that are older than their lanes keep money: so many of each. Returns how many.
-- befores = '{2026-11-29}', lanes = '{1}', limit = 1, listed_since = '2026-11-29'
SELECT batch.id
FROM batch
JOIN unnest(CAST(:lanes AS integer[]), CAST(:befores AS timestamptz[])) AS due(lane_id,
    before) ON due.lane_id = batch.lane_id
WHERE batch.changed_at < due.before AND batch.state IN ('canceled', 'collected', 'failed', 'gone',
    'split') AND NOT EXISTS (
    SELECT
    FROM item
    WHERE item.batch_id = batch.id
) AND NOT EXISTS (
    SELECT
    FROM booking
    WHERE booking.batch_id = batch.id
) AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.batch_id = batch.id AND submission.state NOT IN ('void', 'done')
        AND (submission.state <> 'lost' OR submission.claimed_at > :listed_since)
)
ORDER BY batch.id
LIMIT :limit;

