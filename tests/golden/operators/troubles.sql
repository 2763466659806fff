-- What ledger/operators/troubles.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _overdue: Batches that the API still shows as running an hour after it should have ended them.
SELECT batch_id, api_id, extract(epoch FROM now() - api_created_at)::float AS open_s
FROM submission
WHERE state = 'open' AND ended_at IS NULL AND now() > coalesce(api_expires_at,
    api_created_at + interval '24 hours') + interval '1 hour'
ORDER BY api_created_at
LIMIT 100;

-- _unread: Batches that have ended, and whose results nobody has read to their end.
-- kept_s = 1.0
SELECT batch_id, api_id, extract(epoch FROM now() - ended_at)::float AS ended_s,
    :kept_s - extract(epoch FROM now() - api_created_at)::float AS kept_s, reads, error AS why
FROM submission
WHERE (state IN ('open', 'lost') AND api_id IS NOT NULL AND ended_at IS NOT NULL OR state = 'void'
    AND api_id IS NOT NULL AND ended_at IS NOT NULL)
ORDER BY api_created_at
LIMIT 100;

-- unclear: Unclear batches (or this batch alone), the oldest first.
-- batch_id = 1
SELECT batch.id AS batch_id, submission.id AS submission_id, headers.workspace, submission.items,
    regexp_replace(submission.error, 'encrypted:[^ ]+', '(encrypted)') AS why, regexp_replace(batch.reason,
    'encrypted:[^ ]+', '(encrypted)') AS so_far, claimed_at, let_go_at,
    extract(epoch FROM coalesce(quiet_after, claimed_at) - now())::float AS quiet_s, coalesce(
    (
        SELECT array_agg(sighting.api_id ORDER BY sighting.believed_of IS DISTINCT FROM submission.id,
            sighting.items IS DISTINCT FROM submission.items, sighting.api_created_at)
        FROM sighting
        WHERE sighting.workspace = headers.workspace AND sighting.ours IS NULL
            AND (sighting.believed_of = submission.id OR sighting.api_created_at BETWEEN submission.claimed_at - interval '1 hour' AND coalesce(submission.quiet_after, submission.claimed_at) + interval '1 hour') AND NOT EXISTS (
            SELECT
            FROM submission known
            WHERE known.api_id = sighting.api_id
        )
    ), '{}'
) AS candidates
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE submission.state = 'unclear' AND (CAST(:batch_id AS bigint) IS NULL OR batch.id = :batch_id)
ORDER BY claimed_at;

-- why_read_only: Why this server takes no writes from anybody, as far as it says so; None when it takes them.
SELECT CASE WHEN pg_is_in_recovery() THEN 'it is a standby, and is not the primary' WHEN EXISTS (
    SELECT
    FROM pg_settings
    WHERE name = 'default_transaction_read_only' AND setting = 'on' AND source NOT IN ('user',
        'database user', 'client', 'session', 'interactive', 'test')
) THEN 'default_transaction_read_only is on, as on a primary that was replaced' END AS why;

