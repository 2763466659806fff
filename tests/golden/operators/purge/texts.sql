-- What ledger/operators/purge/texts.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- <listcomp>, 1 of 2
-- ids = '{1}'
SELECT DISTINCT chain_id
FROM item
WHERE id = ANY(:ids) AND chain_id IS NOT NULL
ORDER BY 1;

-- <listcomp>, 2 of 2
-- ids = '{1}'
SELECT DISTINCT prefix_id
FROM item
WHERE id = ANY(:ids) AND prefix_id IS NOT NULL
ORDER BY 1;

-- forget_answers, 1 of 2: What came back for items, and what was said of it. Returns how many answers were still kept.
-- ids = '{1}'
SELECT item_id
FROM outcome
WHERE item_id = ANY(:ids) AND coalesce(message, body_group::text) IS NOT NULL;

-- forget_answers, 2 of 2: What came back for items, and what was said of it. Returns how many answers were still kept.
-- ids = '{1}'
UPDATE outcome
SET message = NULL, detail = NULL, body_group = NULL, body_place = NULL, body_size = NULL
WHERE item_id = ANY(:ids);

-- forget_deliveries, 1 of 2: Deliveries, with what brokers said of them: nothing of these items is delivered any more, nor again.
-- ids = '{1}'
DELETE FROM delivery
WHERE item_id = ANY(:ids)
RETURNING item_id;

-- forget_deliveries, 2 of 2: Deliveries, with what brokers said of them: nothing of these items is delivered any more, nor again.
-- ids = '{1}'
INSERT INTO tally(noun, lane_id, state, n, bytes)
SELECT 'delivery', lane_id, state, -count(*), 0
FROM delivery
WHERE item_id = ANY(:ids) AND state <> 'delivered'
GROUP BY lane_id, state;

-- forget_errors, 1 of 2: What the API said of calls and of batches with these items: it may quote them. Batches that are over only.
-- ids = '{1}'
UPDATE maybe_billed
SET why = 'purged'
WHERE item_id = ANY(:ids);

-- forget_errors, 2 of 2: What the API said of calls and of batches with these items: it may quote them. Batches that are over only.
-- ids = '{1}'
WITH RECURSIVE of_items AS (
    SELECT DISTINCT batch_id AS id
    FROM item
    WHERE item.id = ANY(:ids) AND batch_id IS NOT NULL
    UNION
    SELECT batch.parent_id
    FROM batch
    JOIN of_items ON of_items.id = batch.id
    WHERE parent_id IS NOT NULL
), said AS (
    UPDATE batch
    SET reason = NULL
    FROM of_items
    WHERE batch.id = of_items.id AND reason IS NOT NULL AND state IN ('canceled', 'collected', 'failed',
        'gone', 'split')
)
UPDATE submission
SET error = NULL
FROM of_items
WHERE submission.batch_id = of_items.id AND error IS NOT NULL AND submission.state IN ('void', 'done');

-- forget_keys: Hashes of keys, too: from now on the same key is another item. hashes: by item, its lane and its key's hash.
-- hashes = '{\x00}', ids = '{1}', lanes = '{1}'
DELETE FROM item_key USING unnest(CAST(:ids AS bigint[]), CAST(:lanes AS integer[]),
    CAST(:hashes AS bytea[])) AS gone(item_id, lane_id, key_hash)
WHERE item_key.lane_id = gone.lane_id AND item_key.key_hash = gone.key_hash
    AND item_key.item_id = gone.item_id;

-- forget_requests, 1 of 2: What items asked, their keys, tenants, traces and callbacks. Returns how many requests were still kept.
-- ids = '{1}', no_body = 'text'
SELECT item_id
FROM request
WHERE item_id = ANY(:ids) AND params IS DISTINCT FROM :no_body;

-- forget_requests, 2 of 2: What items asked, their keys, tenants, traces and callbacks. Returns how many requests were still kept.
-- ids = '{1}', no_body = 'text', purged = 'text'
UPDATE request
SET params = :no_body, body_group = NULL, body_place = NULL, unbounded = NULL, key = :purged || item_id,
    tenant = NULL, trace_id = NULL, traceparent = NULL, tracestate = NULL, callback = NULL, callback_id = NULL
WHERE item_id = ANY(:ids);

-- forget_shared: Prefixes that no item goes on from any more, and names of traces that only purged items had.
-- ids = '{1}', last = 1, purged = 'text'
UPDATE chain
SET trace_id = :purged || id
WHERE id = ANY(:ids) AND NOT EXISTS (
    SELECT
    FROM item
    WHERE item.chain_id = chain.id AND item.id > :last AND NOT item.purged
);

-- keep_retention_away: Wait for retention's step, and keep it from the next until the transaction ends; a purge and a rotation, too.
-- lock = 1
SELECT pg_advisory_xact_lock(:lock);

-- lock_batches: Batches of these items that are over, before the items are locked: the order of everybody.
-- ids = '{1}'
WITH RECURSIVE of_items AS (
    SELECT DISTINCT batch_id AS id
    FROM item
    WHERE item.id = ANY(:ids) AND batch_id IS NOT NULL
    UNION
    SELECT batch.parent_id
    FROM batch
    JOIN of_items ON of_items.id = batch.id
    WHERE parent_id IS NOT NULL
)
SELECT
FROM batch
WHERE id IN (
    SELECT id
    FROM of_items
) AND state IN ('canceled', 'collected', 'failed', 'gone', 'split')
ORDER BY id
FOR UPDATE;

-- mark: From now on they are purged: what still comes of them is billed and dropped.
-- ids = '{1}'
UPDATE item
SET purged = true, prefix_id = NULL
WHERE id = ANY(:ids);

-- with_copies: The table, and copies of its partitions that retention is making just now.
SELECT first_item
FROM kept
WHERE copied_to IS NOT NULL;

