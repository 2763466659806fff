-- What ledger/operators/purge/mentions.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _forget_in_verdict
-- id = '00000000-0000-0000-0000-000000000000', verdict = 'text'
UPDATE inbox
SET verdict = :verdict
WHERE message_id = :id;

-- _forget_in_wish
-- id = 1, wish = 'text'
UPDATE action
SET wish = :wish
WHERE id = :id;

-- _of: Those of the keys that items have which are to be purged.
-- hashes = '{\x00}', ids = '{1}'
SELECT DISTINCT key_hash
FROM item_key
WHERE lane_id IN (
    SELECT id
    FROM lane
) AND key_hash = ANY(:hashes) AND item_id IN (
    SELECT item.id
    FROM item
    WHERE item.id = ANY(:ids)
);

-- forget, 1 of 2: Forget keys of these items where they are named. Returns by kind, in how many rows.
SELECT id, wish
FROM action
WHERE ended_at IS NOT NULL AND (wish LIKE '%"key":%' OR wish LIKE '%"key_prefix":%')
ORDER BY id;

-- forget, 2 of 2: Forget keys of these items where they are named. Returns by kind, in how many rows.
SELECT message_id, verdict
FROM inbox
WHERE verdict LIKE '%"rejected":[{%'
ORDER BY message_id;

