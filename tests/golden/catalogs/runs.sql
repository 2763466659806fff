-- What ledger/catalogs/runs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- approve: A person lets a run send what it has planned. False when it doesn't ask.
-- id = 1, who = 'text'
UPDATE catalog_run
SET state = 'planned', approved_at = now(), approved_by = :who, reason = NULL, changed_at = now(),
    steps = (steps::jsonb || jsonb_build_object('state', state, 'left_at', now()))::text
WHERE id = :id AND state IN ('asking');

-- begin: Begin a run; its id. None when the catalog has one that isn't over, or one of that nominal time.
-- catalog_id = 1, declaration = 'text', finish_at = null, nominal_at = 'text', path = 'text', wish = 'text'
INSERT INTO catalog_run(catalog_id, number, nominal_at, finish_at, state, path, declaration, wish)
SELECT :catalog_id, coalesce(max(number), 0) + 1, :nominal_at, CAST(:finish_at AS timestamptz), 'planned',
    :path, :declaration, :wish
FROM catalog_run
WHERE catalog_id = :catalog_id
ON CONFLICT DO NOTHING
RETURNING id;

-- claim: Take a run, to take its steps. False when a living process has it, or it is over.
-- id = 1, owner = 1, owner_name = 'text'
UPDATE catalog_run
SET owner = :owner, owner_name = :owner_name
WHERE id = :id AND ended_at IS NULL AND (owner IS NULL OR owner = :owner OR (owner IS NOT NULL
    AND NOT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
        AND database = (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
)));

-- keep_plan, 1 of 3: Keep what a run is to send, and why. False when the run isn't this process's any more.
COPY catalog_planned(run_id, part, entries)
FROM STDIN (FORMAT BINARY);

-- keep_plan, 2 of 3: Keep what a run is to send, and why. False when the run isn't this process's any more.
-- id = 1
DELETE FROM catalog_planned
WHERE run_id = :id;

-- keep_plan, 3 of 3: Keep what a run is to send, and why. False when the run isn't this process's any more.
-- id = 1, number = 1, owner = 1, plan = 'text', recipe = 1
UPDATE catalog_run
SET number = :number, plan = :plan, recipe = :recipe, changed_at = now()
WHERE id = :id AND owner = :owner AND state = 'planned';

-- move, 1 of 2: Bring a run into its next state. False when it isn't this process's any more, or in another state.
-- counts = null, id = 1, owner = 1, reason = 'text'
UPDATE catalog_run
SET state = 'asking', changed_at = now(), enqueued_at = NULL, ended_at = NULL, reason = :reason,
    counts = coalesce(:counts, counts), steps = (steps::jsonb || jsonb_build_object('state', state,
    'left_at', now()))::text
WHERE id = :id AND owner = :owner AND state IN ('planned');

-- move, 2 of 2: Bring a run into its next state. False when it isn't this process's any more, or in another state.
-- counts = null, id = 1, owner = 1, reason = 'text'
UPDATE catalog_run
SET state = 'stopped', changed_at = now(), enqueued_at = NULL, ended_at = now(), reason = :reason,
    counts = coalesce(:counts, counts), steps = (steps::jsonb || jsonb_build_object('state', state,
    'left_at', now()))::text
WHERE id = :id AND owner = :owner AND state IN ('planned', 'asking', 'pilot', 'sending', 'retrying',
    'publishing');

-- note_enqueued: All rows of this state are in Postgres as items. False when the run isn't this process's any more.
-- counts = 'text', id = 1, owner = 1
UPDATE catalog_run
SET enqueued_at = now(), counts = :counts
WHERE id = :id AND owner = :owner;

-- note_goes_on: What a run waited for is over.
-- id = 1, owner = 1
UPDATE catalog_run
SET reason = NULL, changed_at = now()
WHERE id = :id AND owner = :owner AND ended_at IS NULL AND reason LIKE 'waits: %';

-- note_waits: What a run waits for; it stands there until the run goes on. Nothing when the run isn't this process's.
-- id = 1, owner = 1, why = 'text'
UPDATE catalog_run
SET reason = :why, changed_at = CASE WHEN reason LIKE 'waits: %' THEN changed_at ELSE now() END
WHERE id = :id AND owner = :owner AND ended_at IS NULL AND reason IS DISTINCT FROM :why;

-- read: A run by its id.
-- id = 1
SELECT catalog_run.id, catalog_run.catalog_id, catalog.name AS catalog, number, nominal_at, finish_at, state,
    reason, path, declaration, wish, plan, recipe, counts, steps, enqueued_at, owner_name, began_at,
    changed_at, approved_at, approved_by, stop_wanted, ended_at, owner IS NOT NULL
    AND NOT (owner IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
        AND database = (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
)) AS is_owned
FROM catalog_run
JOIN catalog ON catalog.id = catalog_id
WHERE catalog_run.id = :id;

-- release: Leave a run to whoever comes next.
-- id = 1, owner = 1
UPDATE catalog_run
SET owner = NULL, owner_name = NULL
WHERE id = :id AND owner = :owner;

-- runs: Runs, those that aren't over first, then the newest first.
-- catalog = 'text', limit = 1, number = 1
SELECT catalog_run.id, catalog_run.catalog_id, catalog.name AS catalog, number, nominal_at, finish_at, state,
    reason, path, declaration, wish, plan, recipe, counts, steps, enqueued_at, owner_name, began_at,
    changed_at, approved_at, approved_by, stop_wanted, ended_at, owner IS NOT NULL
    AND NOT (owner IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
        AND database = (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
)) AS is_owned
FROM catalog_run
JOIN catalog ON catalog.id = catalog_id
WHERE (CAST(:catalog AS text) IS NULL OR catalog.name = :catalog)
    AND (CAST(:number AS integer) IS NULL OR number = :number)
ORDER BY ended_at IS NOT NULL, catalog_run.id DESC
LIMIT :limit;

-- to_be_advanced: The ids of runs that nobody takes steps of, though there are some to be taken.
SELECT id
FROM catalog_run
WHERE ended_at IS NULL AND (state <> 'asking' OR stop_wanted IS NOT NULL)
    AND (owner IS NULL OR (owner IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
        AND database = (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
)))
ORDER BY id;

-- waiting: Runs that wait for something beside their answers, or ask; what a schedule asks is among the neglected.
SELECT catalog.name || '-' || number AS name, coalesce(reason, '') AS why,
    extract(epoch FROM now() - changed_at)::float AS waits_s, state = 'asking' AS is_asking
FROM catalog_run
JOIN catalog ON catalog.id = catalog_run.catalog_id
LEFT JOIN catalog_schedule schedule ON schedule.catalog_id = catalog_run.catalog_id
WHERE ended_at IS NULL AND CASE
    WHEN state = 'asking' THEN nominal_at IS NULL OR schedule.catalog_id IS NULL OR schedule.paused_at IS NOT NULL ELSE reason LIKE 'waits: %' END
ORDER BY changed_at, catalog_run.id
LIMIT 100;

-- want_stop: A person wants a run stopped: whoever takes its next step does that. False when it is over.
-- id = 1, who = 'text'
UPDATE catalog_run
SET stop_wanted = :who
WHERE id = :id AND ended_at IS NULL;

