-- What ledger/operators/purge/catalogs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _forget_rows
-- id = 1, parts = '{1}'
SELECT part, entries
FROM catalog_memory
WHERE catalog_id = :id AND part = ANY(:parts)
ORDER BY part
FOR UPDATE;

-- forget_examples: Rows that reports of these items' runs show, and rows that couldn't be sent. Returns of how many runs.
-- ids = '{1}'
SELECT catalog_run.id
FROM catalog_run
JOIN catalog ON catalog.id = catalog_run.catalog_id
WHERE catalog.name || '-' || catalog_run.number IN (
    SELECT run.name
    FROM run
    WHERE id IN (
        SELECT run_id
        FROM item
        WHERE item.id = ANY(:ids)
    )
);

