-- What ledger/catalogs/late_runs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- late_runs: As the last look has shown, those first that should be done first.
SELECT catalog.name || '-' || number AS name, late AS why, state = 'asking' AS is_asking
FROM catalog_run
JOIN catalog ON catalog.id = catalog_id
WHERE ended_at IS NULL AND late IS NOT NULL
ORDER BY finish_at, catalog_run.id
LIMIT 100;

-- note: What the look has shown. why: None when the run may still be done in time.
-- id = 1, why = 'text'
UPDATE catalog_run
SET late = :why
WHERE id = :id AND ended_at IS NULL AND late IS DISTINCT FROM :why;

-- take_look: Look at a run; nobody else does for a minute. False when somebody has, or it is over.
-- id = 1
UPDATE catalog_run
SET late_looked_at = now()
WHERE id = :id AND finish_at IS NOT NULL AND ended_at IS NULL
    AND (late_looked_at IS NULL OR late_looked_at < now() - interval '1 minute');

-- unlooked: The ids of such runs, those first that must be done first.
-- limit = 1
SELECT id
FROM catalog_run
WHERE finish_at IS NOT NULL AND ended_at IS NULL
    AND (late_looked_at IS NULL OR late_looked_at < now() - interval '1 minute')
ORDER BY finish_at, id
LIMIT :limit;

