-- What ledger/collect/outcomes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _finalize, 1 of 2: Items become final; those that are already, or aren't in that batch any more, are passed over.
-- ids = '{1}', own = 1
UPDATE item
SET state = 'failed', attempts = attempts + 1, waiting_since = NULL, held_by = NULL, direct_at = NULL
WHERE id = ANY(:ids) AND state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'following')
    AND (CAST(:own AS bigint) IS NULL OR batch_id = :own)
RETURNING id, lane_id, batch_id, tenant_id, run_id, target_id, callback_size, attempts, cancel_wanted,
    deadline, purged;

-- _finalize, 2 of 2: Items become final; those that are already, or aren't in that batch any more, are passed over.
-- ids = '{1}', own = null
UPDATE item
SET state = 'succeeded', attempts = attempts + 1, waiting_since = NULL, held_by = NULL, direct_at = NULL
WHERE id = ANY(:ids) AND state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'following')
    AND (CAST(:own AS bigint) IS NULL OR batch_id = :own)
RETURNING id, lane_id, batch_id, tenant_id, run_id, target_id, callback_size, attempts, cancel_wanted,
    deadline, purged;

-- _outlast: Items for which their batch brought nothing, while they are being sent in real time: those calls go on.
-- batch_id = 1, ids = '{1}'
UPDATE item
SET state = 'direct', batch_id = NULL
WHERE id = ANY(:ids) AND batch_id = :batch_id AND state IN ('racing')
RETURNING id;

-- _wait_again: Items that may be tried again wait again, from now on. counts: what this try adds to their attempts.
-- batch_id = 1, counts = 1, ids = '{1}', max_attempts = 1
UPDATE item
SET state = 'waiting', attempts = attempts + :counts, batch_id = NULL, waiting_since = now()
WHERE id = ANY(:ids) AND batch_id = :batch_id AND attempts + 1 < :max_attempts AND NOT cancel_wanted
    AND state IN ('batched', 'direct')
RETURNING id;

-- _write_outcomes: The outcomes of what has become final.
COPY outcome(item_id, submission_id, cost_nano, realtime_nano, input_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, attempts, ok, retryable,
    billed, via, problem, detail, model, model_id, api_batch_id, message, body_group, body_place, body_size,
    handed_over)
FROM STDIN;

