-- What ledger/money/runs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- timeline: When each stage was done with the run, by the database's and the API's clocks.
-- run = 'text'
WITH mine AS (
    SELECT item.batch_id, max(request.enqueued_at) AS accepted_at, max(outcome.finished_at) AS collected_at
    FROM (
        SELECT own.block, part.*
        FROM (
            SELECT DISTINCT block
            FROM run_block
            WHERE run_id = (
                SELECT id
                FROM run
                WHERE name = :run
            )
            ORDER BY block
        ) own
        CROSS JOIN LATERAL (
            SELECT *
            FROM item
            WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
                SELECT id
                FROM run
                WHERE name = :run
            )
            LIMIT 250
        ) part
    ) item
    LEFT JOIN request ON request.item_id = item.id
    LEFT JOIN outcome ON outcome.item_id = item.id
    GROUP BY item.batch_id
)
SELECT (
    SELECT max(accepted_at)
    FROM mine
) AS accepted_at, max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
    max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at, (
    SELECT max(collected_at)
    FROM mine
) AS collected_at, count(DISTINCT batch.id) AS batches
FROM mine
JOIN batch ON batch.id = mine.batch_id
LEFT JOIN submission ON submission.batch_id = batch.id;

