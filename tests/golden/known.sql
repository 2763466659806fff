-- What ledger/known.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _followers: Those that follow these items already.
-- leaders = '{1}'
SELECT follower.of_item_id, follower.item_id, follower.receipt, coalesce(request.callback, (
    SELECT document
    FROM callback
    WHERE callback.id = request.callback_id
)) AS callback, item.run_id, request.tenant, request.trace_id
FROM follower
JOIN item ON item.id = follower.item_id
JOIN request ON request.item_id = follower.item_id
WHERE of_item_id = ANY(:leaders);

-- _lock, 1 of 2: What is there stays what it is until the transaction ends: it neither ends unseen nor is redone by others.
-- ids = '{1}'
SELECT id
FROM item
WHERE id = ANY(:ids)
ORDER BY id
FOR UPDATE;

-- _lock, 2 of 2: What is there stays what it is until the transaction ends: it neither ends unseen nor is redone by others.
-- hashes = '{\x00}', lane_id = 1
SELECT item_id
FROM item_key
WHERE lane_id = :lane_id AND key_hash = ANY(:hashes);

-- _point_to: Keys stand for these contents from now on.
-- contents = '{\x00}', hashes = '{\x00}', lane_id = 1
UPDATE item_key
SET content_hash = told.content
FROM unnest(CAST(:hashes AS bytea[]), CAST(:contents AS bytea[])) AS told(key_hash, content)
WHERE item_key.lane_id = :lane_id AND item_key.key_hash = told.key_hash
    AND item_key.key_hash = ANY(CAST(:hashes AS bytea[]));

-- _there
-- hashes = '{\x00}', lane_id = 1
SELECT item_key.key_hash, item_key.item_id, content_hash, item.state, item.headers_id, item.schema_id,
    item.run_id, item.tenant_id, item.chain_id, item.target_id, request.receipt, request.model_why,
    request.tenant, request.trace_id, coalesce(request.callback, (
    SELECT document
    FROM callback
    WHERE callback.id = request.callback_id
)) AS callback, prefix.id AS prefix_id, prefix.document AS prefix, outcome.problem, item.purged
FROM item_key
LEFT JOIN item ON item.id = item_key.item_id
LEFT JOIN request ON request.item_id = item_key.item_id
LEFT JOIN prefix ON prefix.id = item.prefix_id
LEFT JOIN outcome ON outcome.item_id = item_key.item_id
WHERE item_key.lane_id = :lane_id AND item_key.key_hash = ANY(:hashes);

