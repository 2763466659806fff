-- What ledger/submit/unsent.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- leave_to_calls: Items of a batch that is about to be sent, and that are being sent in real time, are sent by that call alone.
-- batch_id = 1
UPDATE item
SET state = 'direct', batch_id = NULL
WHERE state IN ('racing') AND id = ANY(ARRAY(
    SELECT id
    FROM item
    WHERE batch_id = :batch_id AND state = 'racing'
    ORDER BY id
    FOR UPDATE
))
RETURNING id;

-- put_aside: Items of a packed batch whose requests can't be read leave it and are held. Returns how many.
-- batch_id = 1, ids = '{1}'
UPDATE item
SET state = 'waiting', batch_id = NULL, waiting_since = now()
FROM batch
WHERE item.state IN ('batched') AND item.batch_id = batch.id AND batch.id = :batch_id
    AND batch.state = 'packed' AND item.id = ANY(:ids)
RETURNING item.id;

-- take_out: Items whose deadline is nearer than their batch needs go in real time without it. Returns how many.
-- id = 1
SELECT id
FROM batch
WHERE id = :id AND state = 'packed'
FOR UPDATE SKIP LOCKED;

