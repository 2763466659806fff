-- What ledger/names.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _insert, 1 of 8: The new row's number; None when it is there already.
-- api_version = 'text', betas = 'text', workspace = 'text'
INSERT INTO headers(workspace, betas, api_version) VALUES (:workspace, :betas, :api_version)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 2 of 8: The new row's number; None when it is there already.
-- name = 'text'
INSERT INTO lane(name) VALUES (:name)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 3 of 8: The new row's number; None when it is there already.
-- name = 'text'
INSERT INTO model(name) VALUES (:name)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 4 of 8: The new row's number; None when it is there already.
-- document = 'text', hash = '\x00'
INSERT INTO output_schema(hash, document) VALUES (:hash, :document)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 5 of 8: The new row's number; None when it is there already.
-- name = 'text'
INSERT INTO run(name) VALUES (:name)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 6 of 8: The new row's number; None when it is there already.
-- hash = '\x00'
INSERT INTO shape(hash) VALUES (:hash)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 7 of 8: The new row's number; None when it is there already.
-- broker = 'text', queue = 'text'
INSERT INTO target(broker, queue) VALUES (:broker, :queue)
ON CONFLICT DO NOTHING
RETURNING id;

-- _insert, 8 of 8: The new row's number; None when it is there already.
-- name = 'text'
INSERT INTO tenant(name) VALUES (:name)
ON CONFLICT DO NOTHING
RETURNING id;

-- _look_up, 1 of 8
-- api_version = 'text', betas = 'text', workspace = 'text'
SELECT id
FROM headers
WHERE workspace = :workspace AND betas = :betas AND api_version = :api_version;

-- _look_up, 2 of 8
-- name = 'text'
SELECT id
FROM lane
WHERE name = :name;

-- _look_up, 3 of 8
-- name = 'text'
SELECT id
FROM model
WHERE name = :name;

-- _look_up, 4 of 8
-- hash = '\x00'
SELECT id
FROM output_schema
WHERE hash = :hash;

-- _look_up, 5 of 8
-- name = 'text'
SELECT id
FROM run
WHERE name = :name;

-- _look_up, 6 of 8
-- hash = '\x00'
SELECT id
FROM shape
WHERE hash = :hash;

-- _look_up, 7 of 8
-- broker = 'text', queue = 'text'
SELECT id
FROM target
WHERE broker = :broker AND queue = :queue;

-- _look_up, 8 of 8
-- name = 'text'
SELECT id
FROM tenant
WHERE name = :name;

-- _note_workspace: A workspace has no number: its name is its key.
-- name = 'text'
INSERT INTO workspace(name) VALUES (:name)
ON CONFLICT DO NOTHING;

-- _numbers_of, 1 of 4
-- texts = '{text}'
INSERT INTO callback(document)
SELECT new.text
FROM unnest(CAST(:texts AS text[])) AS new(text)
WHERE NOT EXISTS (
    SELECT
    FROM callback
    WHERE callback.document = new.text
)
ORDER BY new.text
ON CONFLICT DO NOTHING;

-- _numbers_of, 2 of 4
-- texts = '{text}'
INSERT INTO model(name)
SELECT new.text
FROM unnest(CAST(:texts AS text[])) AS new(text)
WHERE NOT EXISTS (
    SELECT
    FROM model
    WHERE model.name = new.text
)
ORDER BY new.text
ON CONFLICT DO NOTHING;

-- _numbers_of, 3 of 4
-- texts = '{text}'
SELECT document, id
FROM callback
WHERE document = ANY(:texts);

-- _numbers_of, 4 of 4
-- texts = '{text}'
SELECT name, id
FROM model
WHERE name = ANY(:texts);

-- models: Every model by its number.
SELECT id, name
FROM model;

-- shapes, 1 of 2: The numbers of kinds of requests, in a transaction that goes on; new ones get theirs.
-- hashes = '{\x00}'
INSERT INTO shape(hash)
SELECT new.hash
FROM unnest(CAST(:hashes AS bytea[])) AS new(hash)
WHERE NOT EXISTS (
    SELECT
    FROM shape
    WHERE shape.hash = new.hash
)
ORDER BY new.hash
ON CONFLICT DO NOTHING;

-- shapes, 2 of 2: The numbers of kinds of requests, in a transaction that goes on; new ones get theirs.
-- hashes = '{\x00}'
SELECT hash, id
FROM shape
WHERE hash = ANY(:hashes);

