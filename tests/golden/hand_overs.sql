-- What ledger/hand_overs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- begin: Begin a hand-over, in the transaction that writes the outcomes, with `handed_over`. Returns its number.
-- id = 1, ids = '{1}', items = 1, lane_id = 1, last = 1, lease_s = 1.0, size = 1, target_id = 1
WITH begun AS (
    INSERT INTO hand_over(id, last_item, lane_id, target_id, due_at, items, size, item_ids)
    SELECT :id, :last, :lane_id, :target_id, now() + make_interval(secs => :lease_s), :items, :size,
        CAST(:ids AS bigint[])
    FROM deployment
    WHERE deliveries_without_rows
    RETURNING lane_id, items
)
INSERT INTO tally(noun, lane_id, state, n, bytes)
SELECT 'delivery', lane_id, 'sending', items, 0
FROM begun;

-- end: The broker took all of them, and nobody has to answer. Returns which of the hand-overs there still were.
-- ids = '{1}'
WITH ended AS (
    DELETE FROM hand_over
    WHERE id = ANY(:ids)
    RETURNING id, lane_id, items
), counted AS (
    INSERT INTO tally(noun, lane_id, state, n, bytes)
    SELECT 'delivery', lane_id, state, CASE state WHEN 'sending' THEN -items ELSE items END, 0
    FROM ended, (VALUES ('sending'), ('delivered')) AS change(state)
)
SELECT id
FROM ended;

-- forget: These items have no delivery without a row any more. Returns which had. table: the outcomes, or their copy.
-- ids = '{1}'
UPDATE outcome
SET handed_over = false
WHERE item_id = ANY(:ids) AND handed_over
RETURNING item_id;

-- give_rows: Each delivery of these hand-overs gets its row, being sent until the lease lapses. Returns how many.
-- ids = '{1}'
WITH ended AS (
    DELETE FROM hand_over
    WHERE id = ANY(:ids)
    RETURNING lane_id, target_id, due_at, items, item_ids
), counted AS (
    INSERT INTO tally(noun, lane_id, state, n, bytes)
    SELECT 'delivery', lane_id, 'sending', -items, 0
    FROM ended
)
INSERT INTO delivery(item_id, lane_id, target_id, state, size, due_at, tries)
SELECT item.id, ended.lane_id, ended.target_id, 'sending', (coalesce(body_size, octet_length(message),
    0) + callback_size) * 21 / 20 + 1700, ended.due_at, 1
FROM ended, unnest(ended.item_ids) AS handed(id)
JOIN item ON item.id = handed.id
JOIN outcome ON outcome.item_id = handed.id;

-- give_rows_to_delivered, 1 of 2: Deliveries that were handed over at once get rows, so that they can be sent again. Returns how many.
-- ids = '{1}'
SELECT id
FROM item
WHERE id = ANY(:ids)
ORDER BY id
FOR KEY SHARE;

-- give_rows_to_delivered, 2 of 2: Deliveries that were handed over at once get rows, so that they can be sent again. Returns how many.
-- ids = '{1}'
WITH given AS (
    INSERT INTO delivery(item_id, lane_id, target_id, state, size, due_at, tries)
    SELECT item.id, item.lane_id, item.target_id, 'delivered', (coalesce(body_size, octet_length(message),
        0) + callback_size) * 21 / 20 + 1700, outcome.finished_at, 1
    FROM item
    JOIN outcome ON outcome.item_id = item.id
    WHERE (outcome.handed_over AND NOT EXISTS (
        SELECT
        FROM kept
        WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
    )) AND NOT EXISTS (
        SELECT
        FROM hand_over
        WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
    ) AND NOT EXISTS (
        SELECT
        FROM delivery
        WHERE delivery.item_id = item.id
    ) AND item.id = ANY(:ids)
    ON CONFLICT DO NOTHING
    RETURNING lane_id
)
INSERT INTO tally(noun, lane_id, state, n, bytes)
SELECT 'delivery', lane_id, 'delivered', -count(*), 0
FROM given
GROUP BY lane_id;

-- give_rows_to_lapsed: The same for those whose deliverer died. Returns how many deliveries.
-- limit = 1
SELECT id
FROM hand_over
WHERE due_at <= now()
ORDER BY id
LIMIT :limit
FOR UPDATE SKIP LOCKED;

