-- What ledger/prefixes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _read
-- name = 'text'
SELECT id, document
FROM prefix
WHERE hash = decode(:name, 'hex');

-- _store
-- document = 'text', name = 'text'
INSERT INTO prefix(hash, document) VALUES (decode(:name, 'hex'), :document)
ON CONFLICT DO NOTHING;

-- delete_unused: Delete those that no item goes on from: last used more than a day before the oldest item that is kept.
DELETE FROM prefix
WHERE used_at < coalesce(
    (
        SELECT enqueued_at
        FROM request
        ORDER BY item_id
        LIMIT 1
    ), now()
) - interval '2 days';

-- read: One prefix by its number.
-- id = 1
SELECT document
FROM prefix
WHERE id = :id;

-- use, 1 of 2: Before items go on from these: none is deleted until the transaction ends. False when one is gone already.
-- ids = '{1}'
SELECT id
FROM prefix
WHERE id = ANY(:ids)
ORDER BY id
FOR KEY SHARE;

-- use, 2 of 2: Before items go on from these: none is deleted until the transaction ends. False when one is gone already.
-- ids = '{1}'
UPDATE prefix
SET used_at = now()
WHERE id = ANY(:ids) AND used_at < now() - interval '1 day';

