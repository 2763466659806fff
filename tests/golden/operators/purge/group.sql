-- What ledger/operators/purge/group.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _forget: Remove what is kept of items; by kind, how many of it there were.
-- ids = '{1}'
SELECT item.id, item.lane_id, request.key
FROM item
JOIN request ON request.item_id = item.id
WHERE item.id = ANY(:ids);

-- _lock, 1 of 4: Those of the items that go. Nobody moves them, or their deliveries, until the transaction ends.
-- ids = '{1}'
SELECT
FROM delivery
WHERE item_id = ANY(:ids)
ORDER BY item_id
FOR UPDATE;

-- _lock, 2 of 4: Those of the items that go. Nobody moves them, or their deliveries, until the transaction ends.
-- ids = '{1}'
SELECT
FROM hand_over
WHERE item_ids && CAST(:ids AS bigint[])
FOR UPDATE;

-- _lock, 3 of 4: Those of the items that go. Nobody moves them, or their deliveries, until the transaction ends.
-- ids = '{1}'
SELECT
FROM item
WHERE id = ANY(:ids)
ORDER BY id
FOR UPDATE;

-- _lock, 4 of 4: Those of the items that go. Nobody moves them, or their deliveries, until the transaction ends.
-- ids = '{1}'
SELECT item.id, CASE WHEN item.purged THEN 'purged' WHEN EXISTS (
    SELECT
    FROM follower
    JOIN item AS other ON other.id = follower.item_id
    WHERE follower.of_item_id = item.id AND other.state = 'following'
) THEN 'followed' WHEN item.run_id IN (
    SELECT run.id
    FROM catalog_run
    JOIN catalog ON catalog.id = catalog_run.catalog_id
    JOIN run ON run.name = catalog.name || '-' || catalog_run.number
    WHERE catalog_run.ended_at IS NULL
) THEN 'in a run' WHEN delivery.state = 'sending' OR EXISTS (
    SELECT
    FROM hand_over
    WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
) THEN 'being delivered' WHEN delivery.state IN ('due', 'awaiting_ack') THEN 'undelivered'
    WHEN item.state IN ('canceled', 'failed', 'redone', 'succeeded') THEN 'final'
    WHEN (item.state IN ('waiting', 'held', 'following') OR item.state IN ('batched')
    AND batch.state = 'packed') THEN 'unsent' WHEN item.state = 'batched' AND batch.state IN ('open',
    'canceling', 'ended', 'incomplete') THEN 'at the API' ELSE 'being sent' END
FROM item
LEFT JOIN batch ON batch.id = item.batch_id
LEFT JOIN delivery ON delivery.item_id = item.id
WHERE item.id = ANY(:ids);

-- prospect: How many items there are of each fate.
-- ids = '{1}'
SELECT CASE WHEN item.purged THEN 'purged' WHEN EXISTS (
    SELECT
    FROM follower
    JOIN item AS other ON other.id = follower.item_id
    WHERE follower.of_item_id = item.id AND other.state = 'following'
) THEN 'followed' WHEN item.run_id IN (
    SELECT run.id
    FROM catalog_run
    JOIN catalog ON catalog.id = catalog_run.catalog_id
    JOIN run ON run.name = catalog.name || '-' || catalog_run.number
    WHERE catalog_run.ended_at IS NULL
) THEN 'in a run' WHEN delivery.state = 'sending' OR EXISTS (
    SELECT
    FROM hand_over
    WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
) THEN 'being delivered' WHEN delivery.state IN ('due', 'awaiting_ack') THEN 'undelivered'
    WHEN item.state IN ('canceled', 'failed', 'redone', 'succeeded') THEN 'final'
    WHEN (item.state IN ('waiting', 'held', 'following') OR item.state IN ('batched')
    AND batch.state = 'packed') THEN 'unsent' WHEN item.state = 'batched' AND batch.state IN ('open',
    'canceling', 'ended', 'incomplete') THEN 'at the API' ELSE 'being sent' END AS fate, count(*)
FROM item
LEFT JOIN batch ON batch.id = item.batch_id
LEFT JOIN delivery ON delivery.item_id = item.id
WHERE item.id IN (
    SELECT item.id
    FROM item
    WHERE item.id = ANY(:ids)
)
GROUP BY fate;

-- purge_group, 1 of 2: Purge one group, in the order of items: all that is kept of an item that may go, or nothing.
-- after = 1, limit = 1, run = 'text', until = 1
SELECT item.id
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:after AS bigint) / 250 AND block <= CAST(:until AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM item
        WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        )
        LIMIT 250
    ) part
) item
WHERE true AND NOT item.purged AND item.id > :after AND item.id <= :until
ORDER BY item.block, item.id
LIMIT :limit;

-- purge_group, 2 of 2: Purge one group, in the order of items: all that is kept of an item that may go, or nothing.
-- after = 1, ids = '{1}', limit = 1, until = 1
SELECT item.id
FROM item
WHERE item.id = ANY(:ids) AND NOT item.purged AND item.id > :after AND item.id <= :until
ORDER BY item.id
LIMIT :limit;

