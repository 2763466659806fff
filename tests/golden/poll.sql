-- What ledger/poll.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- believe: A person says which submission a batch is. It is looked at until its token proves it, or proves otherwise.
-- api_id = 'text', submission_id = 1
UPDATE sighting
SET believed_of = :submission_id, ours = NULL
WHERE api_id = :api_id;

-- cancel_asked: The API was told to stop it.
-- id = 1
UPDATE submission
SET cancel_asked_at = now()
WHERE id = :id;

-- doubles: Submissions that run although an earlier create of their batch is known to have worked, and their API ids.
-- workspace = 'text'
SELECT submission.id, submission.api_id
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE headers.workspace = :workspace AND submission.state = 'open' AND submission.ended_at IS NULL
    AND submission.cancel_asked_at IS NULL AND EXISTS (
    SELECT
    FROM submission earlier
    WHERE earlier.batch_id = submission.batch_id AND earlier.state IN ('open', 'done')
        AND (earlier.api_created_at, earlier.id) < (submission.api_created_at, submission.id)
);

-- end, 1 of 3: The API says that a submission's batch ended. False when that was known.
-- id = 1
SELECT
FROM batch
JOIN submission ON submission.batch_id = batch.id
WHERE submission.id = :id
FOR UPDATE OF batch;

-- end, 2 of 3: The API says that a submission's batch ended. False when that was known.
-- id = 1
UPDATE batch
SET state = 'ended', changed_at = now()
FROM submission
WHERE submission.id = :id AND submission.state = 'open' AND batch.id = submission.batch_id
    AND batch.state IN ('open', 'canceling');

-- end, 3 of 3: The API says that a submission's batch ended. False when that was known.
-- counts = 'text', ended_at = '2026-11-29', id = 1
UPDATE submission
SET ended_at = :ended_at, counts = :counts
WHERE id = :id AND ended_at IS NULL AND api_id IS NOT NULL;

-- judge: A token proved whose batch a sighting is.
-- api_id = 'text', ours = true
UPDATE sighting
SET ours = :ours
WHERE api_id = :api_id AND (NOT :ours OR EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
));

-- known_api_ids: Those of the ids that are ours already.
-- ids = '{}'
SELECT api_id
FROM submission
WHERE api_id = ANY(:ids);

-- note_unknown_batches: Note batches that the ledger doesn't know, and when they ended (R9).
-- api_id = 'text', created_at = '2026-11-29', ended_at = null, items = 1, workspace = 'text'
INSERT INTO sighting(api_id, workspace, items, api_created_at, ended_at) VALUES (:api_id, :workspace, :items,
    :created_at, :ended_at)
ON CONFLICT (api_id) DO UPDATE SET ended_at = coalesce(sighting.ended_at, excluded.ended_at);

-- now: The database's clock.
SELECT clock_timestamp() AS now;

-- running_sightings: Batches that the ledger doesn't know, whose token can't be read before they end.
-- workspace = 'text'
SELECT api_id
FROM sighting
WHERE workspace = :workspace AND ended_at IS NULL AND ours IS NULL AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
);

-- submission_of: The submission that has this token.
-- token = 'text'
SELECT id
FROM submission
WHERE token = :token;

-- unknown_batches: Batches that the ledger doesn't know, created since then, that aren't proven to be a stranger's.
-- since = '2026-11-29', workspace = 'text'
SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of
FROM sighting
WHERE workspace = :workspace AND api_created_at >= :since AND ours IS DISTINCT FROM false AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
)
ORDER BY api_created_at;

-- watched: Submissions of a workspace that aren't over, and lost ones that a late listing may still bring back.
-- workspace = 'text'
SELECT submission.id AS submission_id, submission.batch_id, submission.state, submission.items, claimed_at,
    quiet_after, api_id, api_workspace_id, api_created_at, ended_at
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE headers.workspace = :workspace AND (submission.state IN ('sending',
    'unclear') OR submission.state = 'open' AND ended_at IS NULL OR submission.state = 'lost'
    AND claimed_at > now() - interval '30 hours')
ORDER BY submission.id;

