-- What ledger/catalogs/reviving.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- invalid, 1 of 2: The next items of all runs of a catalog whose last answer wasn't valid, with the answers.
-- after = 1, limit = 1, problem = 'text', run = 'text'
SELECT item.id, request.key, item.schema_id, outcome.message, outcome.body_group, outcome.body_place
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:after AS bigint) / 250
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
JOIN request ON request.item_id = item.id
JOIN outcome ON outcome.item_id = item.id
WHERE state IN ('failed') AND outcome.problem = :problem AND item.schema_id IS NOT NULL
    AND starts_with(request.key, 'catalog/') AND item.id > :after
ORDER BY item.block, item.id
LIMIT :limit;

-- invalid, 2 of 2: The next items of all runs of a catalog whose last answer wasn't valid, with the answers.
-- after = 1, catalog = 'text', limit = 1, problem = 'text'
SELECT item.id, request.key, item.schema_id, outcome.message, outcome.body_group, outcome.body_place
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = ANY(ARRAY(
            SELECT run.id
            FROM run
            JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
            WHERE catalog_run.catalog_id = (
                SELECT id
                FROM catalog
                WHERE name = :catalog
            )
        )) AND block >= CAST(:after AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM item
        WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = ANY(ARRAY(
            SELECT run.id
            FROM run
            JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
            WHERE catalog_run.catalog_id = (
                SELECT id
                FROM catalog
                WHERE name = :catalog
            )
        ))
        LIMIT 250
    ) part
) item
JOIN request ON request.item_id = item.id
JOIN outcome ON outcome.item_id = item.id
WHERE state IN ('failed') AND outcome.problem = :problem AND item.schema_id IS NOT NULL
    AND starts_with(request.key, 'catalog/') AND item.id > :after
ORDER BY item.block, item.id
LIMIT :limit;

-- revive, 1 of 2: Items whose answers are valid after all: they have succeeded, as if collect had said so. Returns how many.
-- ids = '{1}'
UPDATE item
SET state = 'succeeded'
WHERE id = ANY(:ids) AND state IN ('failed')
RETURNING id;

-- revive, 2 of 2: Items whose answers are valid after all: they have succeeded, as if collect had said so. Returns how many.
-- ids = '{}'
UPDATE outcome
SET ok = true, problem = NULL, retryable = false, detail = NULL
WHERE item_id = ANY(:ids);

