-- What ledger/retention/keys.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _drop: Keys of a partition's items, in a part of their table; how many.
-- first = 1, lanes = '{1}', until = 1
DELETE FROM item_key
WHERE ctid >= '(0,0)' AND ctid < '(5000,0)' AND item_id >= :first AND item_id < :until
    AND lane_id = ANY(:lanes) AND NOT EXISTS (
    SELECT
    FROM item
    WHERE item.id = item_key.item_id
);

-- drop_keys, 1 of 3: The next part of the keys whose items went long enough ago. From then on the same key is another item.
SELECT (pg_relation_size('item_key') / current_setting('block_size')::bigint)::bigint;

-- drop_keys, 2 of 3: The next part of the keys whose items went long enough ago. From then on the same key is another item.
-- before = '2026-11-29'
SELECT first_item, looked_at, waits_for, finished_before, copied_to, left_out, deliveries_dropped_at,
    bodies_dropped_at, outcomes_dropped_at, keys_looked_to, keys_dropped_at, carried
FROM kept
WHERE outcomes_dropped_at IS NOT NULL AND keys_dropped_at IS NULL AND finished_before < :before
ORDER BY first_item
LIMIT 1;

-- drop_keys, 3 of 3: The next part of the keys whose items went long enough ago. From then on the same key is another item.
-- first = 1, is_over = true, now = '2026-11-29', page = 1
UPDATE kept
SET keys_looked_to = :page, keys_dropped_at = CASE WHEN :is_over THEN CAST(:now AS timestamptz) END
WHERE first_item = :first;

