-- What ledger/following.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _end, 1 of 4: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
INSERT INTO delivery(item_id, lane_id, target_id, state, size)
SELECT item.id, lane_id, target_id, 'due', (coalesce(octet_length(message),
    0) + callback_size) * 21 / 20 + 1700
FROM item
JOIN outcome ON outcome.item_id = item.id
WHERE item.id = ANY(:ids) AND target_id IS NOT NULL AND NOT cancel_wanted;

-- _end, 2 of 4: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
INSERT INTO outcome(item_id, cost_nano, realtime_nano, attempts, ok, retryable, via, problem, detail, model,
    api_batch_id, message)
SELECT follower.item_id, 0, 0, outcome.attempts, ok, retryable, via, problem, detail, model, api_batch_id,
    message
FROM follower
JOIN outcome ON outcome.item_id = follower.of_item_id
WHERE follower.item_id = ANY(:ids);

-- _end, 3 of 4: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
UPDATE item
SET state = 'canceled'
WHERE id = ANY(:ids) AND state = 'following' AND state IN ('waiting', 'held', 'following')
RETURNING id;

-- _end, 4 of 4: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
UPDATE item
SET state = 'succeeded'
WHERE id = ANY(:ids) AND state = 'following' AND state IN ('waiting', 'held', 'batched', 'direct', 'racing',
    'following')
RETURNING id;

-- answer, 1 of 2: Items whose leaders are final end as those did. Returns how many deliveries are due now.
SELECT EXISTS (
    SELECT
    FROM follower
);

-- answer, 2 of 2: Items whose leaders are final end as those did. Returns how many deliveries are due now.
-- leaders = '{1}'
SELECT follower.item_id, leader.state
FROM follower
JOIN item leader ON leader.id = follower.of_item_id
JOIN item ON item.id = follower.item_id
WHERE item.state = 'following' AND leader.state IN ('succeeded', 'failed', 'canceled')
    AND (CAST(:leaders AS bigint[]) IS NULL OR of_item_id = ANY(:leaders))
ORDER BY follower.item_id;

-- send_again: Outcomes that were delivered, or given up, are due again with the same delivery id. Returns how many.
-- ids = '{}'
UPDATE delivery
SET state = 'due', generation = generation + 1, tries = 0, error = NULL, due_at = now()
WHERE item_id = ANY(:ids) AND state IN ('dead', 'delivered');

