-- What ledger/retention/bodies.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _columns
-- table = 'text'
SELECT attname::text
FROM pg_attribute
WHERE attrelid = CAST(:table AS regclass) AND attnum > 0 AND NOT attisdropped
ORDER BY attnum;

-- _copy, 1 of 2
-- first = 1, left = '{1}', until = 1
INSERT INTO outcome_copy_0(item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    attempts, ok, retryable, billed, via, problem, detail, model, api_batch_id, message, body_group,
    body_place, body_size, handed_over, model_id)
SELECT item_id, submission_id, finished_at, cost_nano, realtime_nano, input_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, attempts, ok, retryable,
    billed, via, problem, detail, model, api_batch_id, NULL, NULL, NULL, NULL, handed_over, model_id
FROM outcome
WHERE item_id >= :first AND item_id < :until AND NOT item_id = ANY(:left);

-- _copy, 2 of 2
-- first = 1, left = '{1}', until = 1
INSERT INTO request_copy_0(item_id, receipt, key, tenant, trace_id, callback, params, enqueued_at,
    cut_from_tokens, cut_to_tokens, model_why, body_group, body_place, unbounded, traceparent, callback_id,
    tracestate)
SELECT item_id, receipt, key, tenant, trace_id, callback, 'null', enqueued_at, cut_from_tokens,
    cut_to_tokens, model_why, NULL, NULL, NULL, traceparent, callback_id, tracestate
FROM request
WHERE item_id >= :first AND item_id < :until AND NOT item_id = ANY(:left);

-- _end_bodies, 1 of 5: Copies without bodies take the places of a partition's requests and outcomes.
-- whole = '{1}'
DELETE FROM outcome_copy_0
WHERE item_id = ANY(:whole);

-- _end_bodies, 2 of 5: Copies without bodies take the places of a partition's requests and outcomes.
-- whole = '{1}'
DELETE FROM request_copy_0
WHERE item_id = ANY(:whole);

-- _end_bodies, 3 of 5: Copies without bodies take the places of a partition's requests and outcomes.
-- whole = '{1}'
INSERT INTO outcome_copy_0
SELECT *
FROM outcome_from_0
WHERE item_id = ANY(:whole);

-- _end_bodies, 4 of 5: Copies without bodies take the places of a partition's requests and outcomes.
-- whole = '{1}'
INSERT INTO request_copy_0
SELECT *
FROM request_from_0
WHERE item_id = ANY(:whole);

-- _end_bodies, 5 of 5: Copies without bodies take the places of a partition's requests and outcomes.
-- first = 1, now = '2026-11-29', whole = 1
UPDATE kept
SET bodies_dropped_at = :now, copied_to = NULL, left_out = '{}', looked_at = NULL, carried = :whole
WHERE first_item = :first;

-- begin: Bodies are dropped by copying all but them.
-- first = 1, now = '2026-11-29'
UPDATE kept
SET copied_to = :first, left_out = '{}', looked_at = :now
WHERE first_item = :first;

-- copying: The partition whose bodies are being dropped; None when there is none.
SELECT first_item, looked_at, waits_for, finished_before, copied_to, left_out, deliveries_dropped_at,
    bodies_dropped_at, outcomes_dropped_at, keys_looked_to, keys_dropped_at, carried
FROM kept
WHERE copied_to IS NOT NULL
LIMIT 1;

-- drop_groups, 1 of 2: A partition's groups go; what is needed of them was carried. items_stay: some of those may get an answer yet.
DROP TABLE IF EXISTS request_group_from_0;

-- drop_groups, 2 of 2: A partition's groups go; what is needed of them was carried. items_stay: some of those may get an answer yet.
TRUNCATE TABLE answer_group_from_0;

-- go_on: Copy the next window, or, behind the last one, put the copies in the place of the partitions.
-- of = 1, undone = '{1}', until = 1
UPDATE kept
SET copied_to = :until, left_out = left_out || CAST(:undone AS bigint[])
WHERE first_item = :of;

