-- What ledger/cancel.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _cancel: Items that nobody is sending are canceled; which. direct: those that wait on the direct road.
-- direct = '{}', ids = '{}'
WITH moved AS (
    UPDATE item
    SET state = 'canceled', waiting_since = NULL, held_by = NULL, direct_at = NULL
    WHERE id = ANY(:ids) AND state IN ('waiting', 'held', 'following')
    RETURNING id, attempts
)
INSERT INTO outcome(item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts, CASE
    WHEN id = ANY(CAST(:direct AS bigint[])) THEN 'direct' ELSE 'batch' END
FROM moved
RETURNING item_id;

-- cancel: Take one item back. Repeating it changes nothing.
-- id = 1
SELECT state
FROM item
WHERE id = :id;

-- take_back, 1 of 3: Take items back, all of them or none. What is final stays as it is.
-- ids = '{1}'
SELECT id
FROM batch
WHERE id IN (
    SELECT batch_id
    FROM item
    WHERE item.id = ANY(:ids) AND batch_id IS NOT NULL
)
ORDER BY id
FOR SHARE;

-- take_back, 2 of 3: Take items back, all of them or none. What is final stays as it is.
-- ids = '{1}'
SELECT id, state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'following') AS is_unfinished,
    direct_at <= now() IS TRUE AS is_direct
FROM item
WHERE id = ANY(:ids)
ORDER BY id
FOR UPDATE;

-- take_back, 3 of 3: Take items back, all of them or none. What is final stays as it is.
-- ids = '{1}'
UPDATE item
SET cancel_wanted = true, direct_at = NULL
WHERE id = ANY(:ids) AND NOT cancel_wanted;

-- unpack: Take unwanted items (or of these alone) out of a batch that isn't being sent. Returns those that were.
-- batch_id = 1, direct = '{}', item_ids = null
WITH moved AS (
    UPDATE item
    SET state = 'canceled', direct_at = NULL
    FROM batch
    WHERE item.batch_id = :batch_id AND batch.id = :batch_id AND batch.state = 'packed'
        AND item.cancel_wanted AND (CAST(:item_ids AS bigint[]) IS NULL OR item.id = ANY(:item_ids))
        AND item.state IN ('batched')
    RETURNING item.id, item.attempts
)
INSERT INTO outcome(item_id, ok, problem, detail, retryable, cost_nano, realtime_nano, attempts, via)
SELECT id, false, 'canceled', 'taken back before it was sent', true, 0, 0, attempts, CASE
    WHEN id = ANY(CAST(:direct AS bigint[])) THEN 'direct' ELSE 'batch' END
FROM moved
RETURNING item_id;

