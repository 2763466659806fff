-- What ledger/poll.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- believe: A person says which submission a batch is. It is looked at until its token proves it, or proves otherwise.
-- api_id = 'text', submission_id = 1
UPDATE sighting
SET believed_of = :submission_id, ours = NULL, next_read_at = NULL
WHERE api_id = :api_id;

-- cancel_asked: The API was told to stop it.
-- id = 1
UPDATE submission
SET cancel_asked_at = now()
WHERE id = :id;

-- doubles: Submissions that run and that nobody waits for, and their API ids: doubles, which are canceled.
-- workspace = 'text'
SELECT submission.id, submission.api_id
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE headers.workspace = :workspace AND submission.state = 'open' AND submission.ended_at IS NULL
    AND submission.cancel_asked_at IS NULL AND EXISTS (
    SELECT
    FROM submission other
    WHERE other.batch_id = submission.batch_id AND other.state IN ('open', 'done')
        AND other.id <> submission.id AND (
        (other.api_created_at, other.id) < (submission.api_created_at,
            submission.id) OR other.state = 'done' AND NOT EXISTS (
            SELECT
            FROM item
            WHERE item.batch_id = submission.batch_id AND item.state = 'batched'
        )
    )
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

-- note_unknown_batches: Note batches that the ledger doesn't know, and when they ended.
-- api_ids = '{text}', created_at = '{2026-11-29}', ended_at = '{null}', items = '{1}', workspace = 'text'
INSERT INTO sighting(api_id, workspace, items, api_created_at, ended_at)
SELECT api_id, :workspace, items, created_at, ended_at
FROM unnest(CAST(:api_ids AS text[]), CAST(:items AS integer[]), CAST(:created_at AS timestamptz[]),
    CAST(:ended_at AS timestamptz[])) AS seen(api_id, items, created_at, ended_at)
ORDER BY api_id
ON CONFLICT (api_id) DO UPDATE SET ended_at = excluded.ended_at
WHERE sighting.ended_at IS NULL AND excluded.ended_at IS NOT NULL;

-- now: The database's clock.
SELECT clock_timestamp() AS now;

-- postpone_reading: Its token couldn't be read: at once again at first, then after longer and longer pauses, up to an hour.
-- api_id = 'text'
UPDATE sighting
SET tries = tries + 1, next_read_at = now() + make_interval(secs => CASE WHEN tries < 3 THEN 0
    ELSE 2.0 ^ least(tries, 12) END)
WHERE api_id = :api_id;

-- readable_sightings: Some of the batches that the ledger doesn't know, have ended, and whose token is to be read now.
-- most = 1, workspace = 'text'
SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of
FROM sighting
WHERE workspace = :workspace AND ours IS NULL AND ended_at IS NOT NULL
    AND (next_read_at IS NULL OR next_read_at <= now()) AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
)
ORDER BY believed_of IS NULL, items NOT IN (
    SELECT items
    FROM submission
    WHERE state = 'unclear' AND items IS NOT NULL
), api_created_at
LIMIT :most;

-- running_sightings: Batches that the ledger doesn't know, whose token can't be read before they end; none runs for three days.
-- workspace = 'text'
SELECT api_id
FROM sighting
WHERE workspace = :workspace AND ended_at IS NULL AND ours IS NULL
    AND seen_at > now() - interval '3 days' AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
);

-- sought_since: Since when batches may have been created that are ours and not known, and whether all of that is to be swept.
-- sweep_every_s = 1.0, workspace = 'text'
SELECT min(claimed_at) FILTER (WHERE due OR late AND quiet_after > now() - interval '1 hour') AS since, due
FROM (
    SELECT claimed_at, quiet_after, submission.state IN ('lost', 'void') AND api_id IS NULL AS late,
        coalesce(swept_at < now() - make_interval(secs => :sweep_every_s), true) AS due
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    JOIN workspace ON workspace.name = headers.workspace
    WHERE headers.workspace = :workspace AND claimed_at > now() - interval '30 hours'
        AND (let_go_at IS NOT NULL OR submission.state = 'lost')
) sought
GROUP BY due;

-- submission_of: The submission that was made with this token; its twins are known by it.
-- token = 'text'
SELECT id
FROM submission
WHERE token = :token AND twin_of IS NULL;

-- swept: A list that started then went back as far as anything is sought, and what it showed is noted.
-- at = '2026-11-29', name = 'text'
UPDATE workspace
SET swept_at = :at
WHERE name = :name;

-- to_stop: Submissions of batches that are to be canceled for their deadlines, and their API ids.
-- workspace = 'text'
SELECT submission.id, submission.api_id
FROM batch
JOIN headers ON headers.id = batch.headers_id
JOIN submission ON submission.batch_id = batch.id
WHERE batch.state = 'canceling' AND headers.workspace = :workspace AND submission.state = 'open'
    AND submission.ended_at IS NULL AND submission.cancel_asked_at IS NULL;

-- unknown_batches: Batches that the ledger doesn't know, created since then, of which no token has proven whose they are.
-- since = '2026-11-29', workspace = 'text'
SELECT api_id, items, api_created_at AS created_at, ended_at, ours, believed_of
FROM sighting
WHERE workspace = :workspace AND api_created_at >= :since AND ours IS NULL AND NOT EXISTS (
    SELECT
    FROM submission
    WHERE submission.api_id = sighting.api_id
)
ORDER BY api_created_at;

-- watched: Submissions of a workspace that aren't over.
-- workspace = 'text'
SELECT submission.id AS submission_id, submission.batch_id, submission.state, submission.items, claimed_at,
    quiet_after, api_id, api_workspace_id, api_created_at, ended_at
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE headers.workspace = :workspace AND (submission.state IN ('sending',
    'unclear') OR submission.state = 'open' AND ended_at IS NULL)
ORDER BY submission.id;

