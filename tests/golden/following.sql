-- What ledger/following.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _answer, 1 of 2: Followers get the outcomes of their leaders. Returns how many deliveries are due now.
-- ids = '{1}', sizes = '{1}'
INSERT INTO delivery(item_id, lane_id, target_id, state, size)
SELECT item.id, lane_id, target_id, 'due', (own.size + callback_size) * 21 / 20 + 1700
FROM unnest(CAST(:ids AS bigint[]), CAST(:sizes AS integer[])) AS own(item_id, size)
JOIN item ON item.id = own.item_id
WHERE target_id IS NOT NULL AND NOT cancel_wanted;

-- _answer, 2 of 2: Followers get the outcomes of their leaders. Returns how many deliveries are due now.
-- details = '{null}', groups = '{null}', ids = '{1}', messages = '{text}', places = '{null}', sizes = '{1}'
INSERT INTO outcome(item_id, cost_nano, realtime_nano, attempts, ok, retryable, via, problem, detail, model,
    api_batch_id, message, body_group, body_place, body_size)
SELECT follower.item_id, 0, 0, outcome.attempts, ok, retryable, via, problem, own.detail, model,
    coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)), own.message, own.body_group, own.body_place, CASE WHEN own.body_group IS NOT NULL THEN own.size END
FROM unnest(CAST(:ids AS bigint[]), CAST(:messages AS text[]), CAST(:groups AS bigint[]),
    CAST(:places AS smallint[]), CAST(:sizes AS integer[]), CAST(:details AS text[])) AS own(item_id,
    message, body_group, body_place, size, detail)
JOIN follower ON follower.item_id = own.item_id
JOIN whole_outcome AS outcome ON outcome.item_id = follower.of_item_id;

-- _end, 1 of 2: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
UPDATE item
SET state = 'canceled'
WHERE id = ANY(:ids) AND state = 'following' AND state IN ('waiting', 'held', 'following')
RETURNING id;

-- _end, 2 of 2: Followers end by this move. Returns how many deliveries are due now.
-- ids = '{1}'
UPDATE item
SET state = 'succeeded'
WHERE id = ANY(:ids) AND state = 'following' AND state IN ('waiting', 'held', 'batched', 'direct', 'racing',
    'following')
RETURNING id;

-- _write_copies: Copy the answers of leaders for their followers.
-- ids = '{1}'
SELECT follower.item_id, item.tenant_id, outcome.message, outcome.body_group, outcome.body_place,
    follower.of_item_id, outcome.detail
FROM follower
JOIN item ON item.id = follower.item_id
JOIN outcome ON outcome.item_id = follower.of_item_id
WHERE follower.item_id = ANY(:ids);

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

