-- What ledger/measure.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _lock_due: The oldest that may be counted, without those that another process has.
-- limit = 1, passed_over = '{}'
SELECT unmeasured.item_id, item.size
FROM unmeasured
JOIN item ON item.id = unmeasured.item_id
JOIN lane ON lane.id = item.lane_id
JOIN headers ON headers.id = item.headers_id
JOIN workspace ON workspace.name = headers.workspace
WHERE (unmeasured.not_before IS NULL OR unmeasured.not_before <= now()) AND item.state = 'waiting'
    AND lane.paused_at IS NULL AND workspace.held_at IS NULL
    AND (workspace.not_before IS NULL OR workspace.not_before <= now()) AND EXISTS (
    SELECT
    FROM deployment
    WHERE home = (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ) AND (moved_at IS NULL OR workspace.looked_at >= moved_at AND NOT word_wanted)
) AND NOT EXISTS (
    SELECT
    FROM unmeasured taken
    WHERE taken.lease_until > now() AND NOT (taken.owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = taken.owner::bigint::oid
            AND objsubid = 2 AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    ))
) AND NOT headers.workspace = ANY(CAST(:passed_over AS text[]))
ORDER BY unmeasured.item_id
LIMIT :limit
FOR UPDATE OF unmeasured SKIP LOCKED;

-- choose, 1 of 2: Its model from now on. In the transaction that has settled it, so never after a body was built.
-- item_id = 1, model_id = 1, shape_id = null, size = 1
UPDATE item
SET model_id = :model_id, size = :size, shape_id = CASE
    WHEN shape_id IS NOT NULL THEN CAST(:shape_id AS integer) END
WHERE id = :item_id;

-- choose, 2 of 2: Its model from now on. In the transaction that has settled it, so never after a body was built.
-- item_id = 1, own = 'text', why = 'text'
UPDATE request
SET params = :own, model_why = :why
WHERE item_id = :item_id;

-- claim: Take the oldest that may be counted, unless another process is at it. What can't be read is held.
-- ids = '{1}', lease_s = 1, owner = 1
WITH taken AS (
    UPDATE unmeasured
    SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s)
    WHERE item_id = ANY(:ids)
    RETURNING item_id, cuttable, chooses, tries
)
SELECT taken.item_id, lane.name AS lane, headers.workspace, headers.betas, headers.api_version, cuttable,
    chooses, headers.id AS headers_id, tries, prefix.id AS prefix_id, prefix.document AS prefix
FROM taken
JOIN item ON item.id = taken.item_id
JOIN lane ON lane.id = item.lane_id
JOIN headers ON headers.id = item.headers_id
LEFT JOIN prefix ON prefix.id = item.prefix_id
ORDER BY taken.item_id;

-- forget: Items that don't wait any more: taken back, or packed when their lane had no limit. Returns how many.
DELETE FROM unmeasured USING item
WHERE item.id = unmeasured.item_id AND item.state NOT IN ('waiting', 'held');

-- release: They were claimed and not counted: somebody else may.
-- ids = '{1}'
UPDATE unmeasured
SET lease_until = NULL
WHERE item_id = ANY(:ids);

-- settle, 1 of 2: They are measured. Returns those that still wait, locked: of the others nothing may be changed any more.
-- ids = '{1}'
DELETE FROM unmeasured
WHERE item_id = ANY(:ids)
RETURNING item_id;

-- settle, 2 of 2: They are measured. Returns those that still wait, locked: of the others nothing may be changed any more.
-- ids = '{1}'
SELECT id
FROM item
WHERE id = ANY(:ids) AND state = 'waiting'
ORDER BY id
FOR UPDATE;

-- shorten, 1 of 2: What is sent of it from now on. In the transaction that has settled it, so never after a body was built.
-- item_id = 1, keeps_prefix = true, size = 1
UPDATE item
SET size = :size, prefix_id = CASE WHEN :keeps_prefix THEN prefix_id END
WHERE id = :item_id;

-- shorten, 2 of 2: What is sent of it from now on. In the transaction that has settled it, so never after a body was built.
-- from_tokens = 1, item_id = 1, own = 'text', to_tokens = 1
UPDATE request
SET params = :own, cut_from_tokens = :from_tokens, cut_to_tokens = :to_tokens
WHERE item_id = :item_id;

-- silent_workspaces: Workspaces with calls that got no answer of late.
SELECT DISTINCT headers.workspace
FROM unmeasured
JOIN item ON item.id = unmeasured.item_id
JOIN headers ON headers.id = item.headers_id
WHERE unmeasured.not_before > now();

-- try_later: The API gave no answer about this one; the others needn't wait for it.
-- item_id = 1, pause_s = 1
UPDATE unmeasured
SET lease_until = NULL, tries = tries + 1, not_before = now() + make_interval(secs => :pause_s)
WHERE item_id = :item_id;

-- want: New items that are to be counted before they are packed.
-- choose = '{true}', ids = '{1}', places = '{null}'
INSERT INTO unmeasured(item_id, cuttable, chooses)
SELECT *
FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS text[]), CAST(:choose AS boolean[]));

