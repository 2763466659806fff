-- What ledger/collect/spending.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _add_up: Add to the spending what was billed: a row for each lane, tenant, run and model, with a price or without.
COPY spending(submission_id, lane_id, tenant_id, run_id, model, answers, paid_twice, unpriced, cost_nano,
    realtime_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
    output_tokens, thinking_tokens, thinking_nano)
FROM STDIN;

-- _doubles, 1 of 2: Those that weren't recorded before, written.
COPY double(item_id, submission_id, cost_nano, realtime_nano, input_tokens, cache_write_5m_tokens,
    cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, model)
FROM STDIN;

-- _doubles, 2 of 2: Those that weren't recorded before, written.
-- ids = '{1}', submission_id = 1
SELECT item_id
FROM outcome
WHERE item_id = ANY(:ids) AND submission_id = :submission_id
UNION ALL
SELECT item_id
FROM double
WHERE item_id = ANY(:ids) AND submission_id = :submission_id;

-- _owners: Whose items are; of those that a restored ledger has forgotten, only the lane of their batch is known.
-- batch_id = 1, ids = '{1}'
SELECT asked.id, coalesce(item.lane_id, batch.lane_id) AS lane_id, item.tenant_id, item.run_id
FROM unnest(CAST(:ids AS bigint[])) AS asked(id)
LEFT JOIN batch ON batch.id = :batch_id
LEFT JOIN item ON item.id = asked.id;

