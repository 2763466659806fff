-- What ledger/direct_calls.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _wait, 1 of 2
-- ids = '{1}', longest_s = 1.0, max_attempts = 1, pause_s = 1.0, places = '{2026-11-29}'
UPDATE item
SET state = 'waiting', waiting_since = now(),
    direct_at = now() + make_interval(secs => least(:pause_s * 2 ^ least(attempts, 20), :longest_s)),
    attempts = attempts + 1
FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked(asked_id, place)
WHERE item.id = asked.asked_id AND item.id = ANY(CAST(:ids AS bigint[])) AND state = 'direct'
    AND state IN ('batched', 'direct') AND attempts + 1 < :max_attempts AND NOT cancel_wanted
RETURNING item.id;

-- _wait, 2 of 2
-- ids = '{1}', places = '{2026-11-29}'
UPDATE item
SET state = 'waiting', waiting_since = now(), direct_at = asked.place
FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked(asked_id, place)
WHERE item.id = asked.asked_id AND item.id = ANY(CAST(:ids AS bigint[])) AND state = 'direct'
    AND state IN ('batched', 'direct') AND true
RETURNING item.id;

-- end: The calls of a claim for these items end now: by item, those that hadn't before.
-- claim_id = 1, ids = '{1}'
DELETE FROM direct_call
WHERE claim_id = :claim_id AND item_id = ANY(:ids)
RETURNING item_id, direct_at, reserved_nano;

-- fall_back: Items whose batch goes on stand in it alone: nothing was lost. Returns which.
-- again_in_s = null, ids = '{1}'
UPDATE item
SET state = 'batched', direct_at = CASE
    WHEN NOT cancel_wanted THEN now() + make_interval(secs => :again_in_s) END
WHERE id = ANY(:ids) AND state IN ('racing')
RETURNING id;

-- not_ended: The calls of these claims that haven't ended, claim by claim.
-- ids = '{1}'
SELECT claim_id, batch_number AS number, item_id
FROM direct_call
JOIN direct_claim ON direct_claim.id = claim_id
WHERE claim_id = ANY(:ids)
ORDER BY claim_id, item_id;

