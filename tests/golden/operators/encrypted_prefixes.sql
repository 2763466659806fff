-- What ledger/operators/encrypted_prefixes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _shared: Those that items of lanes that encrypt go on from, which none deletes until the transaction ends.
-- after = 1, until = 1
SELECT own.lane_id, lane.name AS lane, prefix.id AS prefix_id, encode(prefix.hash, 'hex') AS name, document
FROM (
    SELECT DISTINCT lane_id, prefix_id
    FROM item
    WHERE id > :after AND id <= :until AND prefix_id IS NOT NULL
) own
JOIN lane ON lane.id = own.lane_id
JOIN prefix ON prefix.id = own.prefix_id AND prefix.own_lane_id = 0
ORDER BY prefix.id, own.lane_id
FOR KEY SHARE OF prefix;

-- count: How many prefixes are kept by which key, by lane and the key's id; of those that are a lane's own.
SELECT lane.name AS lane, CASE
    WHEN document LIKE 'encrypted:%' THEN encode(substring(decode(substring(document FROM 11 FOR 16),
    'base64') FROM 5 FOR 8), 'hex') END AS key, count(*) AS n
FROM prefix
JOIN lane ON lane.id = prefix.own_lane_id
GROUP BY 1, 2;

-- count_shared: How many prefixes of all lanes the items of a lane go on from, of these items: they aren't encrypted.
-- first = 1, until = 1
SELECT lane.name AS lane, NULL AS key, count(DISTINCT prefix_id) AS n
FROM item
JOIN prefix ON prefix.id = prefix_id AND prefix.own_lane_id = 0
JOIN lane ON lane.id = item.lane_id
WHERE item.id >= :first AND item.id < :until
GROUP BY 1;

-- delete_left: Delete those that no item goes on from. look: one that is over. Returns how many.
-- began = '2026-11-29', last = 1, prefix_ids = '{1}'
DELETE FROM prefix
WHERE prefix.id = ANY(:prefix_ids) AND prefix.used_at < :began AND NOT EXISTS (
    SELECT
    FROM item
    WHERE item.prefix_id = prefix.id AND item.id > :last
);

-- look_for_left: Begin to look for those of all lanes that a lane has as its own, and that no item may go on from any more.
SELECT id
FROM prefix
WHERE own_lane_id = 0 AND EXISTS (
    SELECT
    FROM prefix own
    WHERE own.hash = prefix.hash AND own.own_lane_id <> 0
);

-- step_own, 1 of 2: Write the next of those that are a lane's own as their lanes have it now. Raises NoKey.
-- after = 1, limit = 1
SELECT prefix.id, lane.name AS lane, document
FROM prefix
JOIN lane ON lane.id = prefix.own_lane_id
WHERE prefix.id > :after
ORDER BY prefix.id
LIMIT :limit;

-- step_own, 2 of 2: Write the next of those that are a lane's own as their lanes have it now. Raises NoKey.
-- document = 'text', id = 1, old = 'text'
UPDATE prefix
SET document = :document
WHERE id = :id AND document = :old;

-- step_shared, 1 of 2: The next items of lanes that encrypt go on from rows of their lanes' own. Raises NoKey.
-- after = 1, lane_id = 1, shared = 1, until = 1
SELECT id
FROM item
WHERE id > :after AND id <= :until AND prefix_id = :shared AND lane_id = :lane_id
ORDER BY id
FOR UPDATE;

-- step_shared, 2 of 2: The next items of lanes that encrypt go on from rows of their lanes' own. Raises NoKey.
-- ids = '{1}', own = 1
UPDATE item
SET prefix_id = :own
WHERE id = ANY(:ids);

