-- What ledger/catalogs/invalidating.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- invalidate, 1 of 3: Items whose answers aren't valid after all: they have failed, as if collect had said so. Returns how many.
-- details = '{text}', ids = '{1}'
SELECT own.item_id, own.detail
FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS own(item_id, detail)
UNION ALL
SELECT follower.of_item_id, own.detail
FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS own(item_id, detail)
JOIN follower ON follower.item_id = own.item_id
ORDER BY item_id;

-- invalidate, 2 of 3: Items whose answers aren't valid after all: they have failed, as if collect had said so. Returns how many.
-- ids = '{1}'
UPDATE item
SET state = 'failed'
WHERE id = ANY(:ids) AND state IN ('succeeded')
RETURNING id;

-- invalidate, 3 of 3: Items whose answers aren't valid after all: they have failed, as if collect had said so. Returns how many.
-- details = '{}', ids = '{}', problem = 'text'
UPDATE outcome
SET ok = false, problem = :problem, retryable = true, detail = fault.detail
FROM unnest(CAST(:ids AS bigint[]), CAST(:details AS text[])) AS fault(item_id, detail)
WHERE outcome.item_id = fault.item_id;

