-- What ledger/cancel.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- cancel, 1 of 5: Take one item back. Repeating it changes nothing.
-- id = 1
SELECT
FROM batch
WHERE id = :id
FOR SHARE;

-- cancel, 2 of 5: Take one item back. Repeating it changes nothing.
-- id = 1
SELECT state
FROM item
WHERE id = :id;

-- cancel, 3 of 5: Take one item back. Repeating it changes nothing.
-- id = 1
SELECT state, batch_id, direct_at <= now() IS TRUE AS is_direct
FROM item
WHERE id = :id;

-- cancel, 4 of 5: Take one item back. Repeating it changes nothing.
-- id = 1
UPDATE item
SET cancel_wanted = true, direct_at = NULL
WHERE id = :id AND NOT cancel_wanted;

-- cancel, 5 of 5: Take one item back. Repeating it changes nothing.
-- id = 1
WITH moved AS (
    UPDATE item
    SET state = 'canceled', waiting_since = NULL, held_by = NULL, direct_at = NULL
    WHERE id = :id AND state IN ('waiting', 'held', 'following')
    RETURNING id, attempts
)
INSERT INTO outcome(item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts, 'batch'
FROM moved;

-- unpack: Take unwanted items (or this item alone) out of a batch that isn't being sent. Returns how many.
-- batch_id = 1, item_id = null
WITH moved AS (
    UPDATE item
    SET state = 'canceled', direct_at = NULL
    FROM batch
    WHERE item.batch_id = :batch_id AND batch.id = :batch_id AND batch.state = 'packed'
        AND item.cancel_wanted AND (CAST(:item_id AS bigint) IS NULL OR item.id = :item_id)
        AND item.state IN ('batched')
    RETURNING item.id, item.attempts
)
INSERT INTO outcome(item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts, 'batch'
FROM moved
RETURNING item_id;

