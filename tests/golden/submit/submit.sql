-- What ledger/submit/submit.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _batch_with_items: The oldest batch that may be sent, locked, and its items. Those without any are ended on the way.
-- id = 1
SELECT count(*) AS n, max(size) AS longest
FROM item
WHERE batch_id = :id AND state = 'batched';

-- _from_cursor, 1 of 2
-- value_1 = 1
SELECT narrow.id AS item_id, request.params, body_group, body_place, narrow.prefix_id, narrow.model_id
FROM (
    SELECT id, prefix_id, model_id
    FROM item
    WHERE batch_id = :value_1 AND state = 'batched'
    ORDER BY id OFFSET 0
) narrow
CROSS JOIN LATERAL (
    SELECT params, body_group, body_place
    FROM request
    WHERE item_id = narrow.id OFFSET 0
) request;

-- _from_cursor, 2 of 2
-- value_1 = 1
SELECT narrow.id AS item_id, request.params, body_group, body_place, narrow.prefix_id, narrow.model_id
FROM (
    SELECT id, prefix_id, model_id
    FROM item
    WHERE batch_id = :value_1 AND state = 'batched'
    ORDER BY prefix_id, model_id, id OFFSET 0
) narrow
CROSS JOIN LATERAL (
    SELECT params, body_group, body_place
    FROM request
    WHERE item_id = narrow.id OFFSET 0
) request;

-- _sendable_batch: The oldest batch that may be sent, locked.
-- limits = '{1}', names = '{text}'
WITH queued AS (
    SELECT headers.workspace, sum(coalesce(submission.items, batch.items))::bigint AS n
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    WHERE submission.state IN ('claimed', 'sending', 'unclear', 'open') AND submission.ended_at IS NULL
    GROUP BY headers.workspace
), busy AS (
    SELECT headers.workspace
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    WHERE (submission.state = 'claimed'
        AND submission.lease_until > now() OR submission.state = 'sending'
        AND submission.send_by > now()) AND NOT (submission.owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = submission.owner::bigint::oid
            AND objsubid = 2 AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    ))
)
SELECT batch.id, batch.items, batch.releases, batch.has_prefixes, headers.workspace, headers.betas,
    headers.api_version, workspace.api_workspace_id
FROM batch
JOIN headers ON headers.id = batch.headers_id
JOIN workspace ON workspace.name = headers.workspace
JOIN lane ON lane.id = batch.lane_id
WHERE batch.state IN ('packed') AND (batch.not_before IS NULL OR batch.not_before <= now())
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
) AND headers.workspace NOT IN (
    SELECT workspace
    FROM busy
) AND (CAST(:names AS text[]) IS NULL OR batch.items <= (
    SELECT most - coalesce(
        (
            SELECT n
            FROM queued
            WHERE queued.workspace = headers.workspace
        ), 0
    )
    FROM unnest(CAST(:names AS text[]), CAST(:limits AS bigint[])) AS allowed(name, most)
    WHERE name = headers.workspace
)) AND NOT (EXISTS (
    SELECT
    FROM submission
    WHERE submission.batch_id = batch.id AND (submission.state IN ('claimed', 'sending', 'unclear',
        'open') OR submission.state IN ('lost', 'void') AND submission.api_id IS NOT NULL)
)
-- few are parts, and only for these the larger ones are looked for
OR batch.parent_id IS NOT NULL AND EXISTS (
    WITH RECURSIVE whole(id) AS (
        SELECT batch.parent_id
        UNION ALL
        SELECT part.parent_id
        FROM whole
        JOIN batch part ON part.id = whole.id
        WHERE part.parent_id IS NOT NULL
    )
    SELECT
    FROM whole
    JOIN submission ON submission.batch_id = whole.id
    WHERE (submission.state IN ('claimed', 'sending', 'unclear', 'open') OR submission.state IN ('lost',
        'void') AND submission.api_id IS NOT NULL)
))
ORDER BY batch.id
LIMIT 1
FOR UPDATE OF batch SKIP LOCKED;

-- authorize_last_bytes: Say durably that the last bytes are about to be written, if they still may (R2).
-- id = 1, margin_s = 1.0
UPDATE submission
SET let_go_at = clock_timestamp()
WHERE id = :id AND state = 'sending' AND let_go_at IS NULL AND EXISTS (
    SELECT
    FROM deployment
    WHERE home = (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    )
) AND clock_timestamp() < send_by - make_interval(secs => :margin_s) AND NOT EXISTS (
    WITH RECURSIVE whole(id) AS (
        SELECT submission.batch_id
        UNION ALL
        SELECT part.parent_id
        FROM whole
        JOIN batch part ON part.id = whole.id
        WHERE part.parent_id IS NOT NULL
    )
    SELECT
    FROM whole
    JOIN submission other ON other.batch_id = whole.id
    WHERE other.id <> submission.id AND other.api_id IS NOT NULL AND other.state <> 'done'
);

-- claim: Take the oldest batch that may be sent, with a submission and a token of its own (R1). None when there is none.
-- api_workspace_id = null, batch_id = 1, lease_s = 1.0, owner = 1, token = 'text'
INSERT INTO submission(batch_id, token, state, owner, lease_until, api_workspace_id) VALUES (:batch_id,
    :token, 'claimed', :owner, now() + make_interval(secs => :lease_s), :api_workspace_id)
RETURNING id;

-- lose: A list that counts doesn't show it, or a person says so: believed never created, and sent again (R4, R5, R10).
-- id = 1, why = 'text'
UPDATE submission
SET state = 'lost', error = :why
WHERE id = :id AND state IN ('unclear') AND api_id IS NULL;

-- open_submission_of: The submission of a batch that is at the API and not recorded.
-- id = 1
SELECT min(id) AS id
FROM submission
WHERE batch_id = :id AND state = 'open';

-- release: It is known not to have been created: the batch may be sent again after a pause.
-- id = 1, pause_s = 1
UPDATE batch
SET releases = releases + 1, not_before = now() + make_interval(secs => :pause_s)
WHERE id = :id;

-- release_unsent: Its own submitter failed before the last bytes: given back with the reason, for an alarm. False when they went.
-- id = 1
SELECT id
FROM submission
WHERE id = :id AND state IN ('claimed', 'sending') AND let_go_at IS NULL
FOR UPDATE;

-- say_why_unclear: What keeps it unclear, for whoever looks.
-- id = 1, why = 'text'
UPDATE batch
SET reason = :why
WHERE id = :id AND state = 'unclear' AND reason IS DISTINCT FROM :why;

-- send: The body is built and frozen: from here on bytes may be on the wire, until `send_by` (R2).
-- allowance_s = 1.0, create_timeout_s = 1.0, id = 1, items = 1
UPDATE submission
SET state = 'sending', items = :items, lease_until = NULL,
    send_by = clock_timestamp() + make_interval(secs => :create_timeout_s),
    quiet_after = clock_timestamp() + make_interval(secs => :create_timeout_s + :allowance_s)
WHERE id = :id AND state IN ('claimed') AND lease_until > clock_timestamp();

-- set_workspace: What the API calls the workspace that a submission is about to be sent to.
-- api_workspace_id = 'text', id = 1
UPDATE submission
SET api_workspace_id = :api_workspace_id
WHERE id = :id AND state = 'claimed';

