-- What ledger/submit/submit.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _from_cursor, 1 of 2
-- value_1 = 1
SELECT item.id, request.params
FROM item
JOIN request ON request.item_id = item.id
WHERE item.batch_id = :value_1 AND item.state = 'batched'
ORDER BY item.id;

-- _from_cursor, 2 of 2
-- value_1 = 1
SELECT narrow.id, request.params, narrow.prefix_id, narrow.model_id
FROM (
    SELECT id, prefix_id, model_id
    FROM item
    WHERE batch_id = :value_1 AND state = 'batched'
    ORDER BY prefix_id, model_id, id OFFSET 0
) narrow
CROSS JOIN LATERAL (
    SELECT params
    FROM request
    WHERE item_id = narrow.id OFFSET 0
) request;

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
    SELECT
    FROM submission other
    WHERE other.batch_id = submission.batch_id AND other.id <> submission.id AND other.api_id IS NOT NULL
        AND other.state <> 'done'
);

-- claim, 1 of 3: Take the oldest batch that may be sent, with a submission and a token of its own (R1). None when there is none.
-- api_workspace_id = null, batch_id = 1, lease_s = 1.0, owner = 1, token = 'text'
INSERT INTO submission(batch_id, token, state, owner, lease_until, api_workspace_id) VALUES (:batch_id,
    :token, 'claimed', :owner, now() + make_interval(secs => :lease_s), :api_workspace_id)
RETURNING id;

-- claim, 2 of 3: Take the oldest batch that may be sent, with a submission and a token of its own (R1). None when there is none.
-- id = 1
SELECT count(*) AS n, max(size) AS longest
FROM item
WHERE batch_id = :id AND state = 'batched';

-- claim, 3 of 3: Take the oldest batch that may be sent, with a submission and a token of its own (R1). None when there is none.
-- limits = '{1}', names = '{text}'
WITH queued AS (
    SELECT headers.workspace, sum(coalesce(submission.items, batch.items))::bigint AS n
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    WHERE submission.state IN ('claimed', 'sending', 'unclear', 'open') AND submission.ended_at IS NULL
    GROUP BY headers.workspace
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
)) AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.batch_id = batch.id AND (submission.state IN ('claimed', 'sending', 'unclear',
        'open') OR submission.state = 'lost' AND submission.api_id IS NOT NULL)
)
ORDER BY batch.id
LIMIT 1
FOR UPDATE OF batch SKIP LOCKED;

-- follow, 1 of 2: A batch of which a submission is open and none is under way is open, or ended, as that one is (R7).
-- id = 1
UPDATE batch
SET state = 'ended', changed_at = now()
WHERE id = :id AND state IN ('open', 'canceling') AND EXISTS (
    SELECT
    FROM submission
    WHERE batch_id = batch.id AND submission.state = 'open' AND submission.ended_at IS NOT NULL
);

-- follow, 2 of 2: A batch of which a submission is open and none is under way is open, or ended, as that one is (R7).
-- id = 1
UPDATE batch
SET state = 'open', changed_at = now(), reason = NULL
WHERE id = :id AND state IN ('packed', 'submitting', 'unclear', 'rejected') AND EXISTS (
    SELECT
    FROM submission
    WHERE batch_id = batch.id AND submission.state = 'open'
) AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE batch_id = batch.id AND submission.state IN ('claimed', 'sending', 'unclear')
);

-- lose: A list that counts doesn't show it, or a person says so: believed never created, and sent again (R4, R5, R10).
-- id = 1, why = 'text'
UPDATE submission
SET state = 'lost', error = :why
WHERE id = :id AND state IN ('unclear') AND api_id IS NULL;

-- note_api_id: A fact, whoever brings it and whatever state the submission is in: the API created this batch (R6).
-- api_id = 'text', created_at = '2026-11-29', expires_at = '2026-11-29', id = 1
UPDATE submission
SET api_id = :api_id, api_created_at = :created_at, api_expires_at = :expires_at
WHERE id = :id AND api_id IS NULL;

-- open_submission, 1 of 3: The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).
-- id = 1
SELECT batch.id
FROM batch
JOIN submission ON submission.batch_id = batch.id
WHERE submission.id = :id
FOR UPDATE OF batch;

-- open_submission, 2 of 3: The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).
-- batch_id = 1, id = 1
SELECT id
FROM submission
WHERE batch_id = :batch_id AND id <> :id AND state IN ('sending', 'unclear', 'open');

-- open_submission, 3 of 3: The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).
-- batch_id = 1, id = 1
UPDATE submission
SET state = 'void', error = 'an earlier submission of this batch turned out to live'
WHERE batch_id = :batch_id AND id <> :id AND (state = 'claimed' OR state = 'sending'
    AND let_go_at IS NULL) AND EXISTS (
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
);

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

