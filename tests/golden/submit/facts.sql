-- What ledger/submit/facts.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _lock_batch_of
-- id = 1
SELECT batch.id
FROM batch
JOIN submission ON submission.batch_id = batch.id
WHERE submission.id = :id
FOR UPDATE OF batch;

-- disown, 1 of 2: The API id that it was given isn't its own, says a token: it is unclear again, and looked for by its own.
-- id = 1
UPDATE sighting
SET ours = NULL
WHERE api_id = (
    SELECT api_id
    FROM submission
    WHERE id = :id
);

-- disown, 2 of 2: The API id that it was given isn't its own, says a token: it is unclear again, and looked for by its own.
-- id = 1, why = 'text'
WITH disowned AS (
    UPDATE submission
    SET state = 'unclear', error = :why, api_id = NULL, api_created_at = NULL, api_expires_at = NULL,
        ended_at = NULL, counts = NULL, lease_until = NULL, next_read_at = NULL, cancel_asked_at = NULL,
        quiet_after = coalesce(quiet_after, now())
    WHERE id = :id AND state IN ('open') AND NOT EXISTS (
        SELECT
        FROM submission other
        WHERE other.batch_id = submission.batch_id AND other.state IN ('claimed', 'sending', 'unclear')
    )
    RETURNING batch_id
), moved AS (
    UPDATE batch
    SET state = 'unclear', changed_at = now(), reason = :why
    FROM disowned
    WHERE batch.id = disowned.batch_id AND batch.state IN ('open', 'canceling', 'ended', 'incomplete')
)
SELECT
FROM disowned;

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

-- note_api_id, 1 of 3: A fact, whoever brings it and whatever state the submission is in: the API created this batch (R6).
-- api_id = 'text', created_at = '2026-11-29', expires_at = null, id = 1
INSERT INTO submission(batch_id, token, twin_of, state, items, claimed_at, let_go_at, api_workspace_id,
    remembered, api_id, api_created_at, api_expires_at)
SELECT batch_id, token, coalesce(twin_of, id), 'open', items, claimed_at, let_go_at, api_workspace_id,
    remembered, :api_id, :created_at, :expires_at
FROM submission
WHERE id = :id
ON CONFLICT (api_id) DO UPDATE SET api_id = excluded.api_id
RETURNING id;

-- note_api_id, 2 of 3: A fact, whoever brings it and whatever state the submission is in: the API created this batch (R6).
-- api_id = 'text', id = 1
SELECT known.id, coalesce(known.twin_of, known.id) = coalesce(asked.twin_of, asked.id) AS own
FROM submission known, submission asked
WHERE known.api_id = :api_id AND asked.id = :id;

-- note_api_id, 3 of 3: A fact, whoever brings it and whatever state the submission is in: the API created this batch (R6).
-- api_id = 'text', created_at = '2026-11-29', expires_at = '2026-11-29', id = 1
UPDATE submission
SET api_id = :api_id, api_created_at = :created_at, api_expires_at = :expires_at
WHERE id = :id AND api_id IS NULL;

-- open_submission, 1 of 2: The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).
-- batch_id = 1, id = 1
SELECT id
FROM submission
WHERE batch_id = :batch_id AND id <> :id AND state IN ('sending', 'unclear', 'open')
LIMIT 1;

-- open_submission, 2 of 2: The submission's API id is known: it is open, and so is its batch. A successor not yet let go is void (R7).
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

