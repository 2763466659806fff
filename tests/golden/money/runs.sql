-- What ledger/money/runs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- timeline: When each stage was done with the run, by the database's and the API's clocks.
-- run = 'text'
WITH mine AS (
    SELECT id, batch_id
    FROM item
    WHERE run_id = (
        SELECT id
        FROM run
        WHERE name = :run
    )
), batches AS (
    SELECT DISTINCT batch_id AS id
    FROM mine
    WHERE batch_id IS NOT NULL
)
SELECT (
    SELECT max(enqueued_at)
    FROM request
    WHERE item_id IN (
        SELECT id
        FROM mine
    )
) AS accepted_at, max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
    max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at, (
    SELECT max(finished_at)
    FROM outcome
    WHERE item_id IN (
        SELECT id
        FROM mine
    )
) AS collected_at, count(DISTINCT batch.id) AS batches
FROM batches
JOIN batch ON batch.id = batches.id
LEFT JOIN submission ON submission.batch_id = batch.id;

