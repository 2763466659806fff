-- What ledger/answer.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _follower: The item of that receipt, where it follows another.
-- receipt = '00000000-0000-0000-0000-000000000000'
SELECT item_id
FROM follower
WHERE receipt = :receipt;

-- _of_key
-- key_hash = '\x00', lane = 'text'
SELECT item_key.item_id, request.receipt
FROM item_key
JOIN lane ON lane.id = item_key.lane_id
LEFT JOIN request ON request.item_id = item_key.item_id
WHERE lane.name = :lane AND key_hash = :key_hash;

-- _with_group, 1 of 2: The item that has a key.
-- value_1 = 1
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place, answer_group.packed
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
LEFT JOIN answer_group ON answer_group.id = outcome.body_group AND outcome.message IS NULL
WHERE item.id = :value_1;

-- _with_group, 2 of 2: The item that has a key.
-- value_1 = 'text', value_2 = '\x00'
SELECT item_id
FROM item_key
WHERE lane_id = (
    SELECT lane.id
    FROM lane
    WHERE lane.name = :value_1
) AND key_hash = :value_2;

-- outcomes_page, 1 of 2: The next outcomes of a run, and where the page after it begins. Raises NoKey while an encryption key isn't there.
-- after = 1, lane = null, most = 1, problem = null, run = 'text'
SELECT item.id, coalesce(outcome.body_size, octet_length(outcome.message), 0) AS size
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:after AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM item
        WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        )
        LIMIT 250
    ) part
) item
JOIN outcome ON outcome.item_id = item.id
WHERE item.id > :after AND item.state <> 'redone' AND (CAST(:lane AS text) IS NULL OR item.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
))
-- the narrow row first: few items have a problem, and none that succeeded
AND (CAST(:problem AS text) IS NULL OR item.state <> 'succeeded')
    AND (CAST(:problem AS text) IS NULL OR outcome.problem = :problem OR :problem = 'any'
    AND outcome.problem IS NOT NULL)
ORDER BY item.block, item.id
LIMIT :most;

-- outcomes_page, 2 of 2: The next outcomes of a run, and where the page after it begins. Raises NoKey while an encryption key isn't there.
-- ids = '{1}'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id = ANY(:ids)
ORDER BY item.id;

-- read_item: An item with its outcome, if it has one. Raises NoKey while its encryption key isn't there.
-- id = 1
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id = :id;

-- run_counts, 1 of 2: Items of a run by state; None when there is no such run. One that was tried again counts once.
-- name = 'text'
SELECT id
FROM run
WHERE name = :name;

-- run_counts, 2 of 2: Items of a run by state; None when there is no such run. One that was tried again counts once.
-- run_id = 1
SELECT state, sum(n)::bigint AS n
FROM tally
WHERE noun = 'item' AND run_id = :run_id AND state <> 'redone'
GROUP BY state
HAVING sum(n) > 0;

-- states: How many of these keys' items are in which state; unknown keys are left out.
-- hashes = '{\x00}', lane = 'text'
SELECT item.state, count(*) AS n
FROM item_key
JOIN lane ON lane.id = item_key.lane_id
JOIN item ON item.id = item_key.item_id
WHERE lane.name = :lane AND key_hash = ANY(:hashes)
GROUP BY item.state;

-- verdicts: The verdicts of messages; None while one isn't done, absent when it never arrived. Raises NoKey.
-- ids = '{00000000-0000-0000-0000-000000000000}'
SELECT message_id, verdict
FROM inbox
WHERE message_id = ANY(:ids);

