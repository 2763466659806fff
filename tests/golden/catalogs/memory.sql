-- What ledger/catalogs/memory.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _joined, 1 of 2: The bytes of all rows, one after the other. In binary: as text they would be twice as long, and decoded.
-- value_1 = 1, value_2 = 1, value_3 = 1
SELECT entries
FROM catalog_memory
WHERE catalog_id = :value_1 AND part BETWEEN :value_2 AND :value_3
ORDER BY part;

-- _joined, 2 of 2: The bytes of all rows, one after the other. In binary: as text they would be twice as long, and decoded.
-- value_1 = 1, value_2 = 1, value_3 = 1
SELECT entries
FROM catalog_planned
WHERE run_id = :value_1 AND part BETWEEN :value_2 AND :value_3
ORDER BY part;

-- catalog_id: The catalog's number; None when nothing of it was ever run.
-- name = 'text'
SELECT id
FROM catalog
WHERE name = :name;

-- forget_planned: A run that has ended needs its entries no more.
-- run_id = 1
DELETE FROM catalog_planned
WHERE run_id = :run_id;

-- planned_size: Bytes of all entries that a run was planned with.
-- run_id = 1
SELECT coalesce(sum(octet_length(entries)), 0)::bigint
FROM catalog_planned
WHERE run_id = :run_id;

-- recipe_number, 1 of 3: The number of a recipe; a new one where no run went by it yet.
-- catalog_id = 1, columns = 'text', model = 'text', output = '\x00', params = '\x00', prompt = '\x00'
INSERT INTO catalog_recipe(catalog_id, number, columns, prompt, output, model, params)
SELECT :catalog_id, coalesce(max(number), 0) + 1, :columns, :prompt, :output, :model, :params
FROM catalog_recipe
WHERE catalog_id = :catalog_id
RETURNING number;

-- recipe_number, 2 of 3: The number of a recipe; a new one where no run went by it yet.
-- id = 1
SELECT
FROM catalog
WHERE id = :id
FOR UPDATE;

-- recipe_number, 3 of 3: The number of a recipe; a new one where no run went by it yet.
-- catalog_id = 1, columns = 'text', model = 'text', output = '\x00', params = '\x00', prompt = '\x00'
SELECT number
FROM catalog_recipe
WHERE catalog_id = :catalog_id AND columns = :columns AND prompt = :prompt AND output = :output
    AND model = :model AND params = :params;

-- recipes: Every recipe that a run of the catalog went by.
-- catalog_id = 1
SELECT columns, prompt, output, model, params, number
FROM catalog_recipe
WHERE catalog_id = :catalog_id
ORDER BY number;

-- replace_entries: Write parts of the memory. A part without entries is deleted.
-- catalog_id = 1, parts = '{1}'
DELETE FROM catalog_memory
WHERE catalog_id = :catalog_id AND part = ANY(:parts);

-- size: Bytes of all entries of the memory.
-- catalog_id = 1
SELECT coalesce(sum(octet_length(entries)), 0)::bigint
FROM catalog_memory
WHERE catalog_id = :catalog_id;

