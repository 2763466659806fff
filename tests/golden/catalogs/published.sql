-- What ledger/catalogs/published.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- page: The next rows of a run that have come back, and where the page after it begins.
-- value_1 = 'text', value_2 = 1, value_3 = 'text', value_4 = 1, value_5 = 1, value_6 = 1
SELECT id, key, trace_id AS cells, ok, problem, detail, retryable, message, body_group, body_place, model,
    cost_nano, finished_at
FROM (
    -- what lies before a row in its page: nothing before the first, which always fits
    SELECT *, sum(size) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (
        SELECT item.id, request.key, request.trace_id, ok, problem, detail, retryable, outcome.message,
            outcome.body_group, outcome.body_place, outcome.model, outcome.finished_at,
            outcome.cost_nano + CASE WHEN redo.item_id IS NULL THEN 0
            ELSE redo.cost_before_nano END AS cost_nano, coalesce(outcome.body_size,
            octet_length(outcome.message), 0) AS size
        FROM (
            SELECT own.block, part.*
            FROM (
                SELECT DISTINCT block
                FROM run_block
                WHERE run_id = (
                    SELECT id
                    FROM run
                    WHERE name = :value_1
                ) AND block >= CAST(:value_2 AS bigint) / 250
                ORDER BY block
            ) own
            CROSS JOIN LATERAL (
                SELECT *
                FROM item
                WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
                    SELECT id
                    FROM run
                    WHERE name = :value_3
                )
                LIMIT 250
            ) part
        ) item
        JOIN request ON request.item_id = item.id
        JOIN whole_outcome AS outcome ON outcome.item_id = item.id
        LEFT JOIN redo ON redo.item_id = item.id
        WHERE item.id > :value_4 AND item.state <> 'redone' AND outcome.problem IS NOT NULL
        ORDER BY item.block, item.id
        LIMIT :value_5
    ) AS each_row
) AS measured
WHERE bytes_before IS NULL OR bytes_before < :value_6
ORDER BY id;

