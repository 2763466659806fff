-- What ledger/deliver/replay.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _give_rows: The first of the wanted that have no row get one: whichever are the first of all have one then.
-- after = 1, key_hash = '\x00', lane = 'text', limit = 1, run = 'text', since = '2026-11-29', until = 1
SELECT delivery.item_id
FROM (
    SELECT item.id AS item_id, item.lane_id, item.target_id
    FROM item
    JOIN outcome ON outcome.item_id = item.id
    WHERE (outcome.handed_over AND NOT EXISTS (
        SELECT
        FROM kept
        WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
    )) AND NOT EXISTS (
        SELECT
        FROM hand_over
        WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
    ) AND NOT EXISTS (
        SELECT
        FROM delivery
        WHERE delivery.item_id = item.id
    )
) AS delivery
JOIN (
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
) item ON item.id = delivery.item_id
JOIN outcome ON outcome.item_id = delivery.item_id
WHERE delivery.item_id > :after AND delivery.item_id <= :until AND delivery.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND delivery.item_id IN (
    SELECT item_id
    FROM item_key
    WHERE key_hash = :key_hash
) AND outcome.finished_at >= :since
ORDER BY item.block, item.id
LIMIT :limit;

-- count, 1 of 2: How many deliveries it is about.
SELECT count(*)
FROM delivery
WHERE delivery.state = 'dead';

-- count, 2 of 2: How many deliveries it is about.
-- queue = 'text'
SELECT count(*)
FROM delivery
WHERE delivery.state = 'dead' AND delivery.target_id IN (
    SELECT id
    FROM target
    WHERE queue = :queue
);

-- replay, 1 of 3: One group of them is due again: the same delivery id, the next generation, its tries counted anew.
-- after = 1, key_hash = '\x00', lane = 'text', limit = 1, run = 'text', since = '2026-11-29', until = 1
SELECT delivery.item_id
FROM delivery
JOIN (
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
) item ON item.id = delivery.item_id
JOIN outcome ON outcome.item_id = delivery.item_id
WHERE delivery.state = 'delivered' AND delivery.item_id > :after AND delivery.item_id <= :until
    AND delivery.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND delivery.item_id IN (
    SELECT item_id
    FROM item_key
    WHERE key_hash = :key_hash
) AND outcome.finished_at >= :since
ORDER BY item.block, item.id
LIMIT :limit
FOR UPDATE OF delivery;

-- replay, 2 of 3: One group of them is due again: the same delivery id, the next generation, its tries counted anew.
-- after = 1, limit = 1, until = 1
SELECT delivery.item_id
FROM delivery
WHERE delivery.state = 'dead' AND delivery.item_id > :after AND delivery.item_id <= :until
ORDER BY delivery.item_id
LIMIT :limit
FOR UPDATE OF delivery;

-- replay, 3 of 3: One group of them is due again: the same delivery id, the next generation, its tries counted anew.
-- ids = '{}'
UPDATE delivery
SET state = 'due', generation = generation + 1, tries = 0, error = NULL, due_at = now()
WHERE item_id = ANY(:ids) AND state IN ('dead', 'delivered');

