-- What ledger/new_keys.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _all_are_new: Not by a join: in a lane that statistics don't know yet Postgres would read all its keys for each message.
-- hashes = '\x00', lane_id = 1, n = 1
SELECT EXISTS (
    SELECT
    FROM item_key
    WHERE lane_id = :lane_id AND key_hash = ANY(ARRAY(
        SELECT key_hash
        FROM (
            SELECT n, substring(CAST(:hashes AS bytea) FROM n * 16 - 15 FOR 16) AS key_hash
            FROM generate_series(1, :n) AS n
        ) key
    ))
);

-- _copy
COPY item_key(lane_id, key_hash, item_id, content_hash)
FROM STDIN;

-- insert_keys, 1 of 3: Write the keys that are new. Returns the numbers of their items.
-- contents = '\x00', hashes = '\x00', ids = '{1}', lane_id = 1, n = 1
INSERT INTO item_key(lane_id, key_hash, item_id, content_hash)
SELECT :lane_id, key_hash, (CAST(:ids AS bigint[])) [n],
    substring(CAST(:contents AS bytea) FROM n * 16 - 15 FOR 16)
FROM (
    SELECT n, substring(CAST(:hashes AS bytea) FROM n * 16 - 15 FOR 16) AS key_hash
    FROM generate_series(1, :n) AS n
) key
ORDER BY n
ON CONFLICT (lane_id, key_hash) DO NOTHING
RETURNING item_id;

-- insert_keys, 2 of 3: Write the keys that are new. Returns the numbers of their items.
RELEASE SAVEPOINT sa_savepoint_1;

-- insert_keys, 3 of 3: Write the keys that are new. Returns the numbers of their items.
SAVEPOINT sa_savepoint_1;

