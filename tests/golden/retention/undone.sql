-- What ledger/retention/undone.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- undelivered: Items of a partition whose outcomes have to be delivered, or may be again; asked by the index of each state.
-- first = 1, until = 1
SELECT item_id
FROM delivery
WHERE item_id >= :first AND item_id < :until AND state = 'due'
UNION ALL
SELECT item_id
FROM delivery
WHERE item_id >= :first AND item_id < :until AND state = 'sending'
UNION ALL
SELECT item_id
FROM delivery
WHERE item_id >= :first AND item_id < :until AND state = 'awaiting_ack'
UNION ALL
SELECT item_id
FROM delivery
WHERE item_id >= :first AND item_id < :until AND state = 'dead'
UNION ALL
SELECT item_id
FROM hand_over, unnest(item_ids) AS item_id
WHERE item_id >= :first AND item_id < :until;

-- undone: Items within bounds that keep everything, at most so many and one: something is still to come of them.
-- first = 1, listed_since = '2026-11-29', most = 1, until = 1
SELECT id
FROM item
WHERE id >= :first AND id < :until AND state NOT IN ('canceled', 'failed', 'redone', 'succeeded')
UNION
SELECT item_id
FROM delivery
WHERE item_id >= :first AND item_id < :until AND state IN ('due', 'sending', 'awaiting_ack', 'dead')
UNION
SELECT item_id
FROM hand_over, unnest(item_ids) AS item_id
WHERE item_id >= :first AND item_id < :until
UNION
SELECT item_id
FROM direct_call
WHERE item_id >= :first AND item_id < :until
UNION
SELECT item.id
FROM submission
JOIN item ON item.batch_id = submission.batch_id
WHERE item.id >= :first AND item.id < :until AND submission.state NOT IN ('void', 'done')
    AND (submission.state <> 'lost' OR submission.claimed_at > :listed_since)
UNION
SELECT of_item_id
FROM follower
JOIN item ON item.id = follower.item_id
WHERE of_item_id >= :first AND of_item_id < :until AND item.state = 'following'
UNION
SELECT item.id
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = ANY(ARRAY(
            SELECT run.id
            FROM catalog_run
            JOIN catalog ON catalog.id = catalog_run.catalog_id
            JOIN run ON run.name = catalog.name || '-' || catalog_run.number
            WHERE catalog_run.ended_at IS NULL
        )) AND block >= CAST(:first AS bigint) / 250 AND block <= CAST(:until AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM item
        WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = ANY(ARRAY(
            SELECT run.id
            FROM catalog_run
            JOIN catalog ON catalog.id = catalog_run.catalog_id
            JOIN run ON run.name = catalog.name || '-' || catalog_run.number
            WHERE catalog_run.ended_at IS NULL
        ))
        LIMIT 250
    ) part
) item
WHERE item.id >= :first AND item.id < :until
LIMIT :most;

