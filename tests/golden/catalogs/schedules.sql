-- What ledger/catalogs/schedules.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- forget: The catalog runs by itself no more. False when it had no schedule.
-- catalog_id = 1
DELETE FROM catalog_schedule
WHERE catalog_id = :catalog_id;

-- go_on: Everything up to now was dealt with; this is the next time.
-- catalog_id = 1, next_at = '2026-11-29'
UPDATE catalog_schedule
SET next_at = :next_at
WHERE catalog_id = :catalog_id;

-- keep, 1 of 2: Keep a schedule, in place of the catalog's last one. A pause stays.
-- name = 'text'
INSERT INTO catalog(name) VALUES (:name)
ON CONFLICT (name) DO UPDATE SET name = excluded.name
RETURNING id;

-- keep, 2 of 2: Keep a schedule, in place of the catalog's last one. A pause stays.
-- catalog_id = 1, cron = 'text', declaration = 'text', finish_by = null, next_at = '2026-11-29', overlap = 'text', path = 'text', when_paused = 'text', who = 'text', zone = 'text'
INSERT INTO catalog_schedule(catalog_id, path, declaration, cron, zone, finish_by, overlap, when_paused,
    next_at, kept_by, kept_at) VALUES (:catalog_id, :path, :declaration, :cron, :zone, :finish_by, :overlap,
    :when_paused, :next_at, :who, now())
ON CONFLICT (catalog_id) DO UPDATE SET path = excluded.path, declaration = excluded.declaration,
    cron = excluded.cron, zone = excluded.zone, finish_by = excluded.finish_by, overlap = excluded.overlap,
    when_paused = excluded.when_paused, next_at = excluded.next_at, skipped = NULL,
    kept_by = excluded.kept_by, kept_at = excluded.kept_at;

-- last_declaration: A catalog's declaration as it was last known: when a run began, or its schedule was kept. Empty without any.
-- catalog_id = 1
SELECT declaration
FROM (
    SELECT declaration, began_at AS at
    FROM catalog_run
    WHERE catalog_id = :catalog_id AND declaration <> ''
    UNION ALL
    SELECT declaration, kept_at
    FROM catalog_schedule
    WHERE catalog_id = :catalog_id AND declaration IS NOT NULL
) known
ORDER BY at DESC
LIMIT 1;

-- last_times: The last times of a schedule, the newest first.
-- catalog_id = 1, limit = 1
SELECT nominal_at, number, state, reason
FROM catalog_run
WHERE catalog_id = :catalog_id AND nominal_at IS NOT NULL
UNION ALL
SELECT nominal_at, NULL, NULL, reason
FROM catalog_passed_over
WHERE catalog_id = :catalog_id
ORDER BY nominal_at DESC
LIMIT :limit;

-- neglected: Schedules that aren't paused and whose last run asks, or stopped by itself.
-- cant_be_used = 'text'
SELECT catalog.name AS catalog, last.nominal_at, last.number, last.state, last.state = 'stopped'
    AND starts_with(coalesce(last.reason, ''), :cant_be_used) AS is_unusable
FROM catalog_schedule
JOIN catalog ON catalog.id = catalog_schedule.catalog_id
CROSS JOIN LATERAL (
    SELECT nominal_at, number, state, reason, stop_wanted IS NULL AS by_itself, began_at AS at
    FROM catalog_run
    WHERE catalog_id = catalog.id AND nominal_at IS NOT NULL
    UNION ALL
    SELECT nominal_at, 0, 'passed over', reason, false, at
    FROM catalog_passed_over
    WHERE catalog_id = catalog.id
    ORDER BY nominal_at DESC
    LIMIT 1
) last
WHERE catalog_schedule.paused_at IS NULL AND last.by_itself AND last.state IN ('asking', 'stopped')
-- a person who has run it since has seen it
AND NOT EXISTS (
    SELECT
    FROM catalog_run later
    WHERE later.catalog_id = catalog.id AND later.nominal_at IS NULL AND later.state NOT IN ('asking',
        'stopped') AND later.began_at > last.at
)
ORDER BY catalog.name;

-- next_due: The next schedule whose time has come, locked until the transaction ends; none that somebody else has locked.
-- after = 1
SELECT catalog_id, catalog.name AS catalog, path, cron, zone, finish_by, overlap, when_paused, next_at,
    skipped, kept_by, paused_at, paused_by, pause_reason, now() AS now
FROM catalog_schedule
JOIN catalog ON catalog.id = catalog_id
WHERE next_at <= now() AND paused_at IS NULL AND catalog_id > :after
ORDER BY catalog_id
LIMIT 1
FOR UPDATE OF catalog_schedule SKIP LOCKED;

-- pass_over, 1 of 2: Remember that there is no run of a time. The oldest are forgotten.
-- catalog_id = 1, kept = 1
DELETE FROM catalog_passed_over
WHERE catalog_id = :catalog_id AND nominal_at NOT IN (
    SELECT nominal_at
    FROM catalog_passed_over
    WHERE catalog_id = :catalog_id
    ORDER BY nominal_at DESC
    LIMIT :kept
);

-- pass_over, 2 of 2: Remember that there is no run of a time. The oldest are forgotten.
-- catalog_id = 1, nominal_at = 'text', reason = 'text'
INSERT INTO catalog_passed_over(catalog_id, nominal_at, reason) VALUES (:catalog_id, :nominal_at, :reason)
ON CONFLICT DO NOTHING;

-- pause: No run begins by itself any more. False when it was paused already.
-- catalog_id = 1, reason = 'text', who = 'text'
UPDATE catalog_schedule
SET paused_at = now(), paused_by = :who, pause_reason = :reason
WHERE catalog_id = :catalog_id AND paused_at IS NULL;

-- resume: Go on, with this time as the next. False when it wasn't paused.
-- catalog_id = 1, next_at = '2026-11-29'
UPDATE catalog_schedule
SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, next_at = :next_at
WHERE catalog_id = :catalog_id AND paused_at IS NOT NULL;

-- schedules: Every schedule, or one catalog's, by name.
-- catalog = 'text'
SELECT catalog_id, catalog.name AS catalog, path, cron, zone, finish_by, overlap, when_paused, next_at,
    skipped, kept_by, paused_at, paused_by, pause_reason, now() AS now
FROM catalog_schedule
JOIN catalog ON catalog.id = catalog_id
WHERE CAST(:catalog AS text) IS NULL OR catalog.name = :catalog
ORDER BY catalog.name;

-- skip: Leave one time out; None takes that back.
-- catalog_id = 1, nominal_at = 'text'
UPDATE catalog_schedule
SET skipped = :nominal_at
WHERE catalog_id = :catalog_id;

