-- What ledger/operators/encryption.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _write, 1 of 2: Write texts that are still what was read; how many were.
-- first = 1, ids = '{1}', last = 1, news = '{text}', olds = '{text}', unbounded = '{true}'
UPDATE outcome own
SET message = anew.new
FROM unnest(CAST(:ids AS bigint[]), CAST(:olds AS text[]), CAST(:news AS text[]),
    CAST(:unbounded AS boolean[])) AS anew(item_id, old, new, unbounded)
-- the bounds say which partitions it may be in
WHERE own.item_id BETWEEN :first AND :last AND own.item_id = anew.item_id AND own.message = anew.old;

-- _write, 2 of 2: Write texts that are still what was read; how many were.
-- first = 1, ids = '{1}', last = 1, news = '{text}', olds = '{text}', unbounded = '{true}'
UPDATE request own
SET params = anew.new, unbounded = anew.unbounded
FROM unnest(CAST(:ids AS bigint[]), CAST(:olds AS text[]), CAST(:news AS text[]),
    CAST(:unbounded AS boolean[])) AS anew(item_id, old, new, unbounded)
-- the bounds say which partitions it may be in
WHERE own.item_id BETWEEN :first AND :last AND own.item_id = anew.item_id AND own.params = anew.old;

-- count, 1 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN callback LIKE 'encrypted:%' THEN encode(substring(decode(substring(callback FROM 11 FOR 16),
    'base64') FROM 5 FOR 8), 'hex') END AS key, count(*) AS n
FROM request
JOIN item ON item.id = request.item_id
JOIN lane ON lane.id = item.lane_id
WHERE request.item_id >= :first AND request.item_id < :until AND callback IS NOT NULL
GROUP BY 1, 2;

-- count, 2 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN detail LIKE 'encrypted:%' THEN encode(substring(decode(substring(detail FROM 11 FOR 16),
    'base64') FROM 5 FOR 8), 'hex') END AS key, count(*) AS n
FROM outcome
JOIN item ON item.id = outcome.item_id
JOIN lane ON lane.id = item.lane_id
WHERE outcome.item_id >= :first AND outcome.item_id < :until AND detail IS NOT NULL
GROUP BY 1, 2;

-- count, 3 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN message LIKE 'encrypted:%' THEN encode(substring(decode(substring(message FROM 11 FOR 16),
    'base64') FROM 5 FOR 8), 'hex') END AS key, count(*) AS n
FROM outcome
JOIN item ON item.id = outcome.item_id
JOIN lane ON lane.id = item.lane_id
WHERE outcome.item_id >= :first AND outcome.item_id < :until AND message IS NOT NULL
GROUP BY 1, 2;

-- count, 4 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN params LIKE 'encrypted:%' THEN encode(substring(decode(substring(params FROM 11 FOR 16),
    'base64') FROM 5 FOR 8), 'hex') END AS key, count(*) AS n
FROM request
JOIN item ON item.id = request.item_id
JOIN lane ON lane.id = item.lane_id
WHERE request.item_id >= :first AND request.item_id < :until AND params IS NOT NULL AND params <> 'null'
GROUP BY 1, 2;

-- count, 5 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN substring(packed FOR 4) = '\x4f564531' THEN encode(substring(packed FROM 5 FOR 8),
    'hex') END AS key, count(*) AS n
FROM answer_group
JOIN item ON item.id = answer_group.id
JOIN lane ON lane.id = item.lane_id
WHERE answer_group.id >= :first AND answer_group.id < :until AND packed IS NOT NULL
GROUP BY 1, 2;

-- count, 6 of 6: How many values are kept by which key, by lane and the key's id, of the items from this number on in a window.
-- first = 1, until = 1
SELECT lane.name AS lane, CASE
    WHEN substring(packed FOR 4) = '\x4f564531' THEN encode(substring(packed FROM 5 FOR 8),
    'hex') END AS key, count(*) AS n
FROM request_group
JOIN item ON item.id = request_group.id
JOIN lane ON lane.id = item.lane_id
WHERE request_group.id >= :first AND request_group.id < :until AND packed IS NOT NULL
GROUP BY 1, 2;

-- last_item: The newest number of an item.
SELECT last_value
FROM item_id;

-- step_groups, 1 of 3: Write the next groups as their lanes have it now. Raises NoKey where a lane has no key to write by.
-- value_1 = 1
SELECT answer_group.id, lane.name AS lane, substring(packed FOR 12) AS head
FROM answer_group
JOIN item ON item.id = answer_group.id
JOIN lane ON lane.id = item.lane_id
WHERE answer_group.id > :value_1
ORDER BY answer_group.id
LIMIT 50;

-- step_groups, 2 of 3: Write the next groups as their lanes have it now. Raises NoKey where a lane has no key to write by.
-- value_1 = 1
SELECT packed
FROM answer_group
WHERE id = :value_1
FOR UPDATE;

-- step_groups, 3 of 3: Write the next groups as their lanes have it now. Raises NoKey where a lane has no key to write by.
-- id = 1, packed = '\x00'
UPDATE answer_group
SET packed = :packed
WHERE id = :id;

-- step_texts, 1 of 4: The same of texts in rows.
-- after = 1
SELECT own.item_id, request.receipt, lane.name AS lane, own.callback AS text
FROM request own
JOIN item ON item.id = own.item_id
JOIN request ON request.item_id = own.item_id
JOIN lane ON lane.id = item.lane_id
WHERE own.item_id > :after
ORDER BY own.item_id
LIMIT 2000;

-- step_texts, 2 of 4: The same of texts in rows.
-- after = 1
SELECT own.item_id, request.receipt, lane.name AS lane, own.detail AS text
FROM outcome own
JOIN item ON item.id = own.item_id
JOIN request ON request.item_id = own.item_id
JOIN lane ON lane.id = item.lane_id
WHERE own.item_id > :after
ORDER BY own.item_id
LIMIT 2000;

-- step_texts, 3 of 4: The same of texts in rows.
-- after = 1
SELECT own.item_id, request.receipt, lane.name AS lane, own.message AS text
FROM outcome own
JOIN item ON item.id = own.item_id
JOIN request ON request.item_id = own.item_id
JOIN lane ON lane.id = item.lane_id
WHERE own.item_id > :after
ORDER BY own.item_id
LIMIT 2000;

-- step_texts, 4 of 4: The same of texts in rows.
-- after = 1
SELECT own.item_id, request.receipt, lane.name AS lane, own.params AS text
FROM request own
JOIN item ON item.id = own.item_id
JOIN request ON request.item_id = own.item_id
JOIN lane ON lane.id = item.lane_id
WHERE own.item_id > :after
ORDER BY own.item_id
LIMIT 2000;

