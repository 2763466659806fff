-- What ledger/money/runs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- timeline: When each stage was done with the run, by the database's and the API's clocks.
-- run = 'text'
SELECT (
    SELECT max(enqueued_at)
    FROM (
        SELECT part.*
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
            FROM request
            WHERE item_id = ANY(ARRAY(
                SELECT id
                FROM item
                WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
                    SELECT id
                    FROM run
                    WHERE name = :run
                )
            ))
            LIMIT 250
        ) part
    ) request
) AS accepted_at, max(batch.packed_at) AS packed_at, max(submission.claimed_at) AS claimed_at,
    max(submission.api_created_at) AS created_at, max(submission.ended_at) AS ended_at, (
    SELECT max(finished_at)
    FROM (
        SELECT part.*
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
            FROM outcome
            WHERE item_id = ANY(ARRAY(
                SELECT id
                FROM item
                WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
                    SELECT id
                    FROM run
                    WHERE name = :run
                )
            ))
            LIMIT 250
        ) part
    ) outcome
) AS collected_at, count(DISTINCT batch.id) AS batches
FROM (
    SELECT DISTINCT batch_id
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
) mine
JOIN batch ON batch.id = mine.batch_id
LEFT JOIN submission ON submission.batch_id = batch.id;

