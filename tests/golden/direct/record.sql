-- What ledger/direct/record.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _forget: Answers came after all: what they cost is known now.
-- claim_id = 1, ids = '{1}'
DELETE FROM maybe_billed
WHERE claim_id = :claim_id AND item_id = ANY(:ids);

-- _maybe_billed, 1 of 2: Calls that got no answer: a row each, and another try as often as their lane says.
-- ids = '{1}'
SELECT item_id, count(*)
FROM maybe_billed
WHERE item_id = ANY(:ids)
GROUP BY item_id;

-- _maybe_billed, 2 of 2: Calls that got no answer: a row each, and another try as often as their lane says.
-- claim_id = 1, ids = '{1}', rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', unbounded = 'text', whys = '{text}'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
)
INSERT INTO maybe_billed(item_id, claim_id, lane_id, tenant_id, run_id, model_id, why, input_tokens,
    output_tokens, cost_nano)
SELECT item.id, :claim_id, item.lane_id, tenant_id, run_id, item.model_id, lost.why, item.size + 2000,
    max_tokens, CASE WHEN NOT (coalesce(request.unbounded,
    request.params ~ :unbounded) OR coalesce(prefix.unbounded, prefix.document ~ :unbounded,
    false)) THEN (item.size + 2000) * rate.input_nano + item.max_tokens::bigint * rate.output_nano END
FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS lost(id, why)
JOIN item ON item.id = lost.id
JOIN request ON request.item_id = item.id
LEFT JOIN prefix ON prefix.id = item.prefix_id
LEFT JOIN rate ON rate.model_id = item.model_id AND item.size + 2000 > rate.above
    AND item.size + 2000 <= rate.up_to;

-- abandoned, 1 of 3: Claims of dead processes end; what of them is under way is the caller's to bring home, in this transaction.
-- ids = '{1}'
SELECT direct_claim.id, batch_number AS number, lane.name AS lane, ARRAY(
    SELECT item_id
    FROM direct_call
    WHERE claim_id = direct_claim.id AND let_go_at IS NOT NULL
    ORDER BY item_id
) AS maybe_billed, ARRAY(
    SELECT item_id
    FROM direct_call
    WHERE claim_id = direct_claim.id AND let_go_at IS NULL
    ORDER BY item_id
) AS unsent
FROM direct_claim
JOIN lane ON lane.id = direct_claim.lane_id
WHERE direct_claim.id = ANY(:ids)
ORDER BY direct_claim.id;

-- abandoned, 2 of 3: Claims of dead processes end; what of them is under way is the caller's to bring home, in this transaction.
-- lease_s = 1, limit = 1
SELECT id
FROM direct_claim
WHERE done_at IS NULL
    AND (lease_until < now() OR lease_until < now() + make_interval(secs => :lease_s - 20)
    AND (owner IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
        AND database = (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
)))
ORDER BY id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- abandoned, 3 of 3: Claims of dead processes end; what of them is under way is the caller's to bring home, in this transaction.
-- ids = '{1}'
UPDATE direct_claim
SET done_at = clock_timestamp()
WHERE id = ANY(:ids);

