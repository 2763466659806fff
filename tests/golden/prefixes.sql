-- What ledger/prefixes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _row
-- lane_id = 1, name = 'text'
SELECT id, document
FROM prefix
WHERE hash = decode(:name, 'hex') AND own_lane_id = :lane_id;

-- _store
-- document = 'text', name = 'text'
INSERT INTO prefix(hash, document) VALUES (decode(:name, 'hex'), :document)
ON CONFLICT DO NOTHING;

-- _write
-- document = 'text', id = 1, old = 'text'
UPDATE prefix
SET document = :document
WHERE id = :id AND document = :old;

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

-- keep_own, 1 of 2: A lane's own row of a prefix, encrypted by its key of today. name: its hash in hex. Raises NoKey.
-- document = 'text', has_marks = true, id = 1, lane_id = 1, name = 'text', size = 1, unbounded = true
INSERT INTO prefix(id, hash, own_lane_id, document, size, has_marks, unbounded) VALUES (:id, decode(:name,
    'hex'), :lane_id, :document, :size, :has_marks, :unbounded)
ON CONFLICT DO NOTHING;

-- keep_own, 2 of 2: A lane's own row of a prefix, encrypted by its key of today. name: its hash in hex. Raises NoKey.
SELECT nextval('prefix_id_seq');

-- keep_used: Before items that are there go on from it: it isn't deleted by who looked at them before.
-- id = 1
UPDATE prefix
SET used_at = clock_timestamp()
WHERE id = :id;

-- read: One prefix by its number. Raises NoKey, DamagedGroup, and PrefixForgotten: it is another row's now.
-- id = 1
SELECT id, document
FROM prefix
WHERE id = :id;

-- unreadable: Those of them that can't be read now, and why.
-- ids = '{1}'
SELECT id, document
FROM prefix
WHERE id = ANY(:ids) AND own_lane_id <> 0;

-- unreadable_of: The items among these whose prefixes can't be read now, and why.
-- ids = '{1}'
SELECT item.id AS item_id, prefix_id
FROM item
JOIN prefix ON prefix.id = prefix_id
WHERE item.id = ANY(:ids) AND prefix.own_lane_id <> 0;

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

