-- What ledger/collect/collect.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _next_to_read: The submission whose results are read next, locked.
WITH ended AS (
    SELECT submission.id, submission.ended_at, headers.workspace, coalesce(lease_until > now()
        AND NOT (owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
            AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    )), false) AS is_read, coalesce(next_read_at > now(), false) AS pauses, reads > misses AS broke_off
    FROM (
        SELECT *
        FROM submission
        WHERE (state IN ('open', 'lost') AND api_id IS NOT NULL
            AND ended_at IS NOT NULL OR state = 'void' AND api_id IS NOT NULL AND ended_at IS NOT NULL)
    ) submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
), turn AS (
    SELECT workspace, count(*) FILTER (WHERE is_read) AS readers, count(*) FILTER (WHERE pauses
        AND broke_off) AS stalled
    FROM ended
    GROUP BY workspace
)
SELECT submission.id, lease_until IS NOT NULL AS taken_over
FROM submission
JOIN ended ON ended.id = submission.id
JOIN turn USING (workspace)
WHERE NOT is_read AND NOT pauses AND (readers = 0 OR stalled = 0)
ORDER BY readers, stalled, ended.ended_at
LIMIT 1
FOR UPDATE OF submission SKIP LOCKED;

-- claim: Take a batch that has ended and isn't being read. None when there is none.
-- id = 1, lease_s = 1.0, owner = 1
UPDATE submission
SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s), reads = reads + 1
FROM batch, headers, lane
WHERE submission.id = :id AND batch.id = submission.batch_id AND headers.id = batch.headers_id
    AND lane.id = batch.lane_id
RETURNING submission.id AS submission_id, batch_id, token, headers.workspace, lane.name AS lane, api_id,
    coalesce(submission.items, batch.items) AS items, has_schemas, has_prefixes, reads, misses,
    extract(epoch FROM now() - ended_at)::float AS ended_for_s, cancel_asked_at IS NOT NULL AS cancel_asked,
    CASE WHEN next_read_at IS NOT NULL THEN error END AS last_error;

-- disown, 1 of 2: The results bear another token, again and again: the API id that the submission was given isn't its own.
-- id = 1, token = 'text'
SELECT
FROM submission
WHERE token = :token AND id <> :id AND api_id IS NOT NULL
LIMIT 1;

-- disown, 2 of 2: The results bear another token, again and again: the API id that the submission was given isn't its own.
-- id = 1, why = 'text'
UPDATE submission
SET api_id = NULL, ended_at = NULL, error = :why
WHERE id = :id AND state = 'done';

-- extend: A sign of life from the reader; until the transaction ends no other one records the same results.
-- id = 1, lease_s = 1.0, token = 'text'
UPDATE submission
SET lease_until = CASE WHEN state <> 'done' THEN now() + make_interval(secs => :lease_s) END
WHERE id = :id AND token = :token;

-- finish, 1 of 3: Every line is recorded and the counts agree: the submission is done, its batch collected.
-- id = 1
SELECT
FROM batch
WHERE id = :id
FOR UPDATE;

-- finish, 2 of 3: Every line is recorded and the counts agree: the submission is done, its batch collected.
-- id = 1
UPDATE batch
SET state = 'collected', changed_at = now(), reason = NULL
FROM submission
WHERE submission.id = :id AND batch.id = submission.batch_id AND batch.state IN ('ended', 'incomplete')
    AND NOT EXISTS (
    SELECT
    FROM submission other
    WHERE other.batch_id = submission.batch_id AND other.id <> submission.id AND (other.state IN ('claimed',
        'sending', 'unclear', 'open') OR other.state IN ('lost', 'void') AND other.api_id IS NOT NULL)
);

-- finish, 3 of 3: Every line is recorded and the counts agree: the submission is done, its batch collected.
-- id = 1
UPDATE submission
SET state = 'done', lease_until = NULL
WHERE id = :id AND state IN ('open', 'lost', 'void');

-- lose: Its results can't be had any more: the submission is done, its batch gone.
-- id = 1
SELECT batch.id, EXISTS (
    SELECT
    FROM submission other
    WHERE other.batch_id = submission.batch_id AND other.id <> submission.id AND (other.state IN ('claimed',
        'sending', 'unclear', 'open') OR other.state IN ('lost', 'void') AND other.api_id IS NOT NULL)
) AS other_lives
FROM submission
JOIN batch ON batch.id = submission.batch_id
WHERE submission.id = :id
FOR UPDATE OF batch;

-- missing_items: Items of a batch for which nothing came back.
-- batch_id = 1
SELECT id
FROM item
WHERE batch_id = :batch_id AND state = 'batched'
ORDER BY id;

-- only_live, 1 of 2: No other submission of the batch may still run, and none comes to life before this transaction is over (R8).
-- id = 1
SELECT
FROM batch
WHERE id = :id
FOR SHARE;

-- only_live, 2 of 2: No other submission of the batch may still run, and none comes to life before this transaction is over (R8).
-- id = 1
SELECT EXISTS (
    SELECT
    FROM submission other
    WHERE other.batch_id = submission.batch_id AND other.id <> submission.id AND (other.state IN ('claimed',
        'sending', 'unclear', 'open') OR other.state IN ('lost', 'void') AND other.api_id IS NOT NULL)
) AS live
FROM submission
WHERE id = :id;

-- output_schema: A JSON schema's text.
-- id = 1
SELECT document
FROM output_schema
WHERE id = :id;

-- output_schemas: Which of the items asked for a schema: item id to schema id.
-- ids = '{1}'
SELECT id, schema_id
FROM item
WHERE id = ANY(:ids) AND schema_id IS NOT NULL;

-- schedule_retry, 1 of 2: The results aren't complete: again after a pause. What was recorded stays.
-- id = 1, why = 'text'
UPDATE batch
SET state = 'incomplete', changed_at = now(), reason = :why
FROM submission
WHERE submission.id = :id AND batch.id = submission.batch_id AND batch.state IN ('ended');

-- schedule_retry, 2 of 2: The results aren't complete: again after a pause. What was recorded stays.
-- id = 1, missed = true, pause_s = 1, why = 'text'
UPDATE submission
SET lease_until = NULL, error = :why, misses = misses + CAST(:missed AS integer),
    next_read_at = now() + make_interval(secs => :pause_s)
WHERE id = :id AND state <> 'done';

