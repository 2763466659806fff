-- What ledger/deployment.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _doubt_what_was_sent, 1 of 2: What was being sent is unclear, and may be listed for so long. Returns how many batches that are.
-- allowance_s = 1
UPDATE submission
SET quiet_after = clock_timestamp() + make_interval(secs => :allowance_s)
WHERE state = 'unclear';

-- _doubt_what_was_sent, 2 of 2: What was being sent is unclear, and may be listed for so long. Returns how many batches that are.
WITH doubted AS (
    UPDATE submission
    SET state = 'unclear', error = 'the ledger was restored or moved', lease_until = NULL,
        items = coalesce(submission.items, batch.items)
    FROM batch
    WHERE batch.id = submission.batch_id AND submission.state IN ('claimed', 'sending')
    RETURNING submission.batch_id
)
UPDATE batch
SET state = 'unclear', changed_at = now(), reason = 'the ledger was restored or moved'
FROM doubted
WHERE batch.id = doubted.batch_id AND batch.state IN ('submitting');

-- begin_columns_by_width: From now on new partitions have the order of columns that wastes least. Changes nothing where they have it.
UPDATE deployment
SET columns_by_width = true
WHERE NOT columns_by_width;

-- begin_groups: From now on bodies are written in groups. Changes nothing where they are already.
UPDATE deployment
SET bodies_in_groups = true
WHERE NOT bodies_in_groups;

-- begin_hand_overs: From now on what is delivered at once needs no row. Changes nothing where that is so already.
UPDATE deployment
SET deliveries_without_rows = true
WHERE NOT deliveries_without_rows;

-- begin_short_outcomes: From now on new outcomes leave out what most have in common. Changes nothing where they do already.
UPDATE deployment
SET short_outcomes = true
WHERE NOT short_outcomes;

-- begin_short_rows: From now on new rows lack the texts that many have in common. Changes nothing where they do already.
UPDATE deployment
SET short_rows = true
WHERE NOT short_rows;

-- give_word: A person says that this ledger may send: its original doesn't run any more. False when no word is wanted.
UPDATE deployment
SET word_wanted = false
WHERE word_wanted;

-- log_position: Where this ledger lives, and how far its write-ahead log is on disk: that only grows, unless it is set back.
SELECT (
    SELECT system_identifier
    FROM pg_control_system()
) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
    SELECT oid
    FROM pg_database
    WHERE datname = current_database()
) AS home, (pg_current_wal_flush_lsn() - '0/0')::bigint AS position;

-- looked: Everything that the API lists in a workspace has been looked at, and what was ours is recorded.
-- moved_at = '2026-11-29', name = 'text'
UPDATE workspace
SET looked_at = clock_timestamp()
FROM deployment
WHERE name = :name AND moved_at = :moved_at AND (looked_at IS NULL OR looked_at < moved_at);

-- notice_move, 1 of 4: Notice that the ledger lives elsewhere than it did, or was set back. None when it is where it was.
-- forgotten = 1
SELECT setval('batch_id_seq', nextval('batch_id_seq') + :forgotten);

-- notice_move, 2 of 4: Notice that the ledger lives elsewhere than it did, or was set back. None when it is where it was.
-- forgotten = 1
SELECT setval('item_id', nextval('item_id') + :forgotten);

-- notice_move, 3 of 4: Notice that the ledger lives elsewhere than it did, or was set back. None when it is where it was.
-- forgotten = 1
SELECT setval('submission_id_seq', nextval('submission_id_seq') + :forgotten);

-- notice_move, 4 of 4: Notice that the ledger lives elsewhere than it did, or was set back. None when it is where it was.
-- set_back = true
UPDATE deployment
SET home = (
    SELECT system_identifier
    FROM pg_control_system()
) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
    SELECT oid
    FROM pg_database
    WHERE datname = current_database()
), moved_at = clock_timestamp(), moved_why = CASE
    WHEN :set_back THEN 'it was set back to an earlier state' WHEN split_part(home, '/', 1) <> split_part(
    (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ), '/', 1
) THEN 'it is in another database system' WHEN split_part(home, '/', 3) <> split_part(
    (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ), '/', 3
) THEN 'it is in another database' ELSE 'it was restored or failed over: another timeline' END,
    word_wanted = split_part(home, '/', 1) <> split_part(
    (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ), '/', 1
) OR split_part(home, '/', 3) <> split_part(
    (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ), '/', 3
)
WHERE home <> (
    SELECT system_identifier
    FROM pg_control_system()
) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
    SELECT oid
    FROM pg_database
    WHERE datname = current_database()
) OR :set_back
RETURNING id, moved_at, moved_why, word_wanted;

-- oldest_unfinished: When the oldest item that may still be sent was accepted: nothing of it can have been created before.
-- workspace = 'text'
SELECT min(enqueued_at) AS since
FROM request
WHERE item_id = (
    SELECT min(item.id)
    FROM item
    JOIN headers ON headers.id = item.headers_id
    WHERE headers.workspace = :workspace AND item.state IN ('waiting', 'held', 'batched', 'direct', 'racing',
        'following')
);

-- read: The deployment that this ledger is of.
SELECT id, moved_at, moved_why, word_wanted
FROM deployment;

-- remember, 1 of 4: A submission that the ledger had forgotten: a row again, to be collected and billed. Returns its number.
-- items = 1, members = '{1}', workspace = 'text'
INSERT INTO batch(lane_id, headers_id, state, items, size, has_schemas, reason)
SELECT coalesce(min(item.lane_id), (
    SELECT min(id)
    FROM lane
)), coalesce(min(item.headers_id), (
    SELECT min(id)
    FROM headers
    WHERE workspace = :workspace
)), 'ended', :items, 0, true, 'the ledger had forgotten it: found at the API'
FROM item
WHERE item.id = (
    SELECT min(id)
    FROM item
    WHERE id = ANY(:members)
)
RETURNING id;

-- remember, 2 of 4: A submission that the ledger had forgotten: a row again, to be collected and billed. Returns its number.
-- api_id = 'text', batch_id = 1, created_at = '2026-11-29', ended_at = '2026-11-29', items = 1, token = 'text'
INSERT INTO submission(batch_id, token, state, items, claimed_at, api_id, api_created_at, ended_at,
    remembered) VALUES (:batch_id, :token, 'open', :items, :created_at, :api_id, :created_at, :ended_at, true)
RETURNING id;

-- remember, 3 of 4: A submission that the ledger had forgotten: a row again, to be collected and billed. Returns its number.
-- api_id = 'text'
SELECT
FROM sighting
WHERE api_id = :api_id
FOR UPDATE;

-- remember, 4 of 4: A submission that the ledger had forgotten: a row again, to be collected and billed. Returns its number.
-- token = 'text'
SELECT id
FROM submission
WHERE token = :token AND twin_of IS NULL;

-- settle: A new ledger lives here. Changes nothing for one that lives somewhere already.
INSERT INTO deployment(home, bodies_in_groups, short_rows, deliveries_without_rows, columns_by_width,
    short_outcomes) VALUES (
    (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ), true, true, true, true, true
)
ON CONFLICT DO NOTHING;

-- short: Which rows are written short.
SELECT short_rows AS rows, short_outcomes AS outcomes
FROM deployment;

-- undecided: How many batches keep a workspace from being looked at: unknown ones, and what of ours isn't known or recorded.
-- until = '2026-11-29', workspace = 'text'
SELECT (
    SELECT count(*)
    FROM sighting
    WHERE workspace = :workspace AND ours IS NULL AND api_created_at <= :until AND NOT EXISTS (
        SELECT
        FROM submission
        WHERE submission.api_id = sighting.api_id
    )
) + (
    SELECT count(*)
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    WHERE headers.workspace = :workspace AND (submission.state = 'unclear' OR submission.remembered
        AND submission.state <> 'done')
) AS n;

-- unlooked: Workspaces whose batches at the API are still to be looked at.
SELECT name
FROM workspace, deployment
WHERE moved_at IS NOT NULL AND (looked_at IS NULL OR looked_at < moved_at)
ORDER BY name;

