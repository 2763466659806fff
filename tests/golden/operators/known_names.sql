-- What ledger/operators/known_names.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _unknown, 1 of 4
-- name = 'text'
SELECT EXISTS (
    SELECT
    FROM model
    WHERE name = :name
);

-- _unknown, 2 of 4
-- name = 'text'
SELECT EXISTS (
    SELECT
    FROM tenant
    WHERE name = :name
);

-- _unknown, 3 of 4
-- shown = 1
SELECT name
FROM model
ORDER BY name
LIMIT :shown;

-- _unknown, 4 of 4
-- shown = 1
SELECT name
FROM tenant
ORDER BY name
LIMIT :shown;

-- unknown_batch: What is wrong with a batch's number; None when it is one.
-- id = 1
SELECT EXISTS (
    SELECT
    FROM batch
    WHERE id = :id
);

-- unknown_key: What is wrong with an item's key; None when an item of the lane, or of any, has it.
-- key_hash = '\x00'
SELECT lane.name
FROM item_key
JOIN lane ON lane.id = item_key.lane_id
WHERE item_key.key_hash = :key_hash
ORDER BY lane.name;

-- unknown_lane: What is wrong with a lane's name; None when it is configured, or ever had an item.
SELECT name
FROM lane
ORDER BY name;

-- unknown_queue, 1 of 2: What is wrong with the name of a queue or a webhook; None when outcomes ever went there.
-- name = 'text'
SELECT EXISTS (
    SELECT
    FROM target
    WHERE queue = :name
);

-- unknown_queue, 2 of 2: What is wrong with the name of a queue or a webhook; None when outcomes ever went there.
-- shown = 1
SELECT queue
FROM target
GROUP BY queue
ORDER BY queue
LIMIT :shown;

-- unknown_run, 1 of 2: What is wrong with a run's name; None when it is one.
-- name = 'text'
SELECT EXISTS (
    SELECT
    FROM run
    WHERE name = :name
);

-- unknown_run, 2 of 2: What is wrong with a run's name; None when it is one.
-- shown = 1
SELECT name
FROM run
ORDER BY id DESC
LIMIT :shown;

