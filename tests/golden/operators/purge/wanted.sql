-- What ledger/operators/purge/wanted.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- items_of_key: All items that a key ever had, in every lane: also those whose places others have taken, and followers.
-- key_hash = '\x00'
WITH RECURSIVE same(id) AS (
    SELECT item_id
    FROM item_key
    WHERE lane_id IN (
        SELECT id
        FROM lane
    ) AND key_hash = :key_hash
    UNION
    SELECT other.id
    FROM same
    CROSS JOIN LATERAL (
        SELECT of_item_id AS id
        FROM redo
        WHERE redo.item_id = same.id
        UNION ALL
        SELECT item_id
        FROM follower
        WHERE of_item_id = same.id
    ) other
)
SELECT id
FROM same
ORDER BY id;

