-- What ledger/retention/steps.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _drop_deliveries
-- first = 1, now = '2026-11-29'
UPDATE kept
SET deliveries_dropped_at = :now, looked_at = NULL
WHERE first_item = :first;

-- _drop_outcomes, 1 of 4: Everything of the items goes but their keys, and what they cost all together.
-- carried = '{1}', first = 1, until = 1
DELETE FROM follower
WHERE item_id >= :first AND item_id < :until AND NOT item_id = ANY(:carried);

-- _drop_outcomes, 2 of 4: Everything of the items goes but their keys, and what they cost all together.
-- carried = '{1}', first = 1, until = 1
DELETE FROM redo
WHERE item_id >= :first AND item_id < :until AND NOT item_id = ANY(:carried);

-- _drop_outcomes, 3 of 4: Everything of the items goes but their keys, and what they cost all together.
DROP TABLE IF EXISTS request_copy_0, outcome_copy_0;

-- _drop_outcomes, 4 of 4: Everything of the items goes but their keys, and what they cost all together.
-- carried = 1, first = 1, now = '2026-11-29'
UPDATE kept
SET outcomes_dropped_at = :now, bodies_dropped_at = coalesce(bodies_dropped_at, :now),
    deliveries_dropped_at = coalesce(deliveries_dropped_at, :now), carried = :carried, copied_to = NULL,
    left_out = '{}', keys_looked_to = NULL, keys_dropped_at = NULL
WHERE first_item = :first;

-- _forget_blocks: Where runs had items that are gone nobody looks any more.
-- carried = '{1}', first = 1, until = 1
DELETE FROM run_block
WHERE block >= :first / 250 AND block < :until / 250 AND block <> ALL (
    SELECT unnest(CAST(:carried AS bigint[])) / 250
);

-- _is_due, 1 of 2: Whether all lanes of a partition may lose that, and haven't yet; or some of them lost it, and carried others.
-- before = '2026-11-29', first = 1, until = 1
SELECT EXISTS (
    SELECT
    FROM outcome
    WHERE item_id >= :first AND item_id < :until AND finished_at > :before
);

-- _is_due, 2 of 2: Whether all lanes of a partition may lose that, and haven't yet; or some of them lost it, and carried others.
-- before = '2026-11-29', first = 1
UPDATE kept
SET finished_before = :before
WHERE first_item = :first;

-- _look, 1 of 3: See what of a partition may go, and let it go, or begin to.
-- first = 1, until = 1
SELECT DISTINCT lane_id
FROM item
WHERE id >= :first AND id < :until;

-- _look, 2 of 3: See what of a partition may go, and let it go, or begin to.
-- first = 1
SELECT first_item, looked_at, waits_for, finished_before, copied_to, left_out, deliveries_dropped_at,
    bodies_dropped_at, outcomes_dropped_at, keys_looked_to, keys_dropped_at, carried
FROM kept
WHERE first_item = :first;

-- _look, 3 of 3: See what of a partition may go, and let it go, or begin to.
-- first = 1, now = '2026-11-29'
UPDATE kept
SET looked_at = :now, waits_for = NULL
WHERE first_item = :first;

-- _next: The oldest partition that was full by then, has something to lose, and wasn't looked at since.
-- looked_before = '2026-11-29'
SELECT first
FROM (
    SELECT substring(inhrelid::regclass::text FROM '_from_([0-9]+)$')::bigint AS first
    FROM pg_inherits
    WHERE inhparent = 'item'::regclass
) partition
JOIN kept ON first_item = first
-- noted when it was full
WHERE (looked_at IS NULL OR looked_at < :looked_before) AND (outcomes_dropped_at IS NULL OR carried > 0)
ORDER BY first
LIMIT 1;

-- _wait: Nothing more of a partition goes for now.
-- first = 1, why = 'text'
UPDATE kept
SET waits_for = :why
WHERE first_item = :first;

-- step, 1 of 2: Do one thing of what is to be done; what it was. None when nothing is, or somebody else is at it.
-- lock = 1
SELECT pg_try_advisory_xact_lock(:lock);

-- step, 2 of 2: Do one thing of what is to be done; what it was. None when nothing is, or somebody else is at it.
SET LOCAL lock_timeout = '1s';

