-- What ledger/operators/item_life.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _paid
-- id = 1
SELECT finished_at AS at, true AS is_certain, 'it had its answer' AS why, cost_nano
FROM double
WHERE item_id = :id
UNION ALL
SELECT at, false, CASE WHEN why LIKE 'encrypted:%' THEN '(encrypted)' ELSE why END, cost_nano
FROM maybe_billed
WHERE item_id = :id
ORDER BY at
LIMIT 50;

-- _sent
-- batch_id = 1
SELECT id, state, items, claimed_at, let_go_at, api_id, api_created_at, ended_at, regexp_replace(error,
    'encrypted:[^ ]+', '(encrypted)') AS error
FROM submission
WHERE batch_id = :batch_id
ORDER BY id
LIMIT 50;

-- _tries
-- id = 1
WITH RECURSIVE earlier AS (
    SELECT CAST(:id AS bigint) AS id
    UNION ALL
    SELECT redo.of_item_id
    FROM earlier
    JOIN redo ON redo.item_id = earlier.id
), later AS (
    SELECT CAST(:id AS bigint) AS id
    UNION ALL
    SELECT redo.item_id
    FROM later
    JOIN redo ON redo.of_item_id = later.id
), tried AS (
    SELECT id
    FROM earlier
    UNION
    SELECT id
    FROM later
)
SELECT item.id AS item_id, coalesce(redo.number, 0) AS number, item.state, outcome.problem, coalesce(redo.at,
    request.enqueued_at) AS at, outcome.finished_at, outcome.cost_nano, coalesce(redo.asked_again,
    0) > 0 AS by_itself
FROM tried
JOIN item ON item.id = tried.id
JOIN request ON request.item_id = item.id
LEFT JOIN redo ON redo.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
ORDER BY item.id
LIMIT 100;

-- body: What one item asks and what was answered. The caller has made sure that it may be seen, and records it.
-- id = 1
SELECT item.id, prefix.id AS prefix_id, prefix.document AS prefix, outcome.message, outcome.body_group,
    outcome.body_place, outcome.detail
FROM item
LEFT JOIN outcome ON outcome.item_id = item.id
LEFT JOIN prefix ON prefix.id = item.prefix_id
WHERE item.id = :id;

-- life: Everything about one item; None when there is no such item.
-- id = 1
SELECT item.waiting_since, item.held_since, item.cancel_wanted, batch.packed_at, batch.state AS batch_state,
    regexp_replace(batch.reason, 'encrypted:[^ ]+', '(encrypted)') AS batch_reason,
    direct_claim.claimed_at AS calling_since, direct_call.let_go_at, coalesce(delivery.due_at,
    handed.due_at) AS delivery_due_at, coalesce(delivery.generation, CASE WHEN (outcome.handed_over
    AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN 0 END) AS delivery_generation, followed.receipt AS follows, follower.of_item_id AS follows_item_id,
    outcome.input_tokens, outcome.cache_read_tokens,
    outcome.cache_write_5m_tokens + outcome.cache_write_1h_tokens AS cache_write_tokens,
    outcome.output_tokens, outcome.thinking_tokens, headers.workspace
FROM item
JOIN headers ON headers.id = item.headers_id
LEFT JOIN batch ON batch.id = item.batch_id
LEFT JOIN direct_call ON direct_call.item_id = item.id
LEFT JOIN direct_claim ON direct_claim.id = direct_call.claim_id
LEFT JOIN delivery ON delivery.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
LEFT JOIN hand_over handed ON item.id BETWEEN handed.id AND handed.last_item
    AND item.id = ANY(handed.item_ids)
LEFT JOIN follower ON follower.item_id = item.id
LEFT JOIN request followed ON followed.item_id = follower.of_item_id
WHERE item.id = :id;

