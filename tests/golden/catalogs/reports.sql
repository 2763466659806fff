-- What ledger/catalogs/reports.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- before: What `note_before` kept. Raises NoKey.
-- run_id = 1
SELECT before
FROM catalog_report
WHERE run_id = :run_id;

-- document: The kept report of a run. Raises NoKey.
-- run_id = 1
SELECT document
FROM catalog_report
WHERE run_id = :run_id;

-- draw: Some rows of a run: by a hash of their keys, so the same ones each time.
-- rows = 1, run = 'text'
SELECT request.key, request.trace_id AS cells
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
            ) AND state <> 'redone'
        ))
        LIMIT 250
    ) part
) request
ORDER BY md5(request.key)
LIMIT :rows;

-- keep: Keep the report of a run, in the transaction that ends it.
-- callback = 'text', document = 'text', run_id = 1
INSERT INTO catalog_report(run_id, before, document, callback) VALUES (:run_id, '[]', :document, :callback)
ON CONFLICT (run_id) DO UPDATE SET document = excluded.document, callback = excluded.callback;

-- lengths: How long a run's answers are, in tokens: in so many equal parts from the shortest to the longest.
-- parts = 1, run = 'text'
WITH came AS (
    SELECT output_tokens AS tokens
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
                ) AND state <> 'redone'
            ))
            LIMIT 250
        ) part
    ) outcome
    WHERE output_tokens > 0
), bounds AS (
    SELECT min(tokens) AS first, max(tokens) - min(tokens) + 1 AS length
    FROM came
)
SELECT (tokens - first) * :parts / length AS part, min(tokens) AS shortest, max(tokens) AS longest,
    count(*) AS rows
FROM came, bounds
GROUP BY 1
ORDER BY 1;

-- lock_unsent: A report that is to be sent, locked until the transaction ends. None when it was sent, or is being sent.
-- run_id = 1
SELECT catalog.name || '-' || catalog_run.number AS name, document, callback
FROM catalog_report
JOIN catalog_run ON catalog_run.id = run_id
JOIN catalog ON catalog.id = catalog_run.catalog_id
WHERE run_id = :run_id AND callback IS NOT NULL
FOR UPDATE OF catalog_report SKIP LOCKED;

-- note_before: Keep what rows had in the sink before a run published anything; what is kept already stays. Raises NoKey.
-- before = 'text', run_id = 1
INSERT INTO catalog_report(run_id, before) VALUES (:run_id, :before)
ON CONFLICT DO NOTHING;

-- note_sent: The callback's broker has it.
-- run_id = 1
UPDATE catalog_report
SET callback = NULL
WHERE run_id = :run_id;

-- progress: When a run's answers came, in so many parts of the time from the first to the last; empty parts aren't there.
-- parts = 1, run = 'text'
WITH came AS (
    SELECT extract(epoch FROM finished_at) AS second, ok
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
                ) AND state <> 'redone'
            ))
            LIMIT 250
        ) part
    ) outcome
), bounds AS (
    SELECT min(second) AS first, greatest(max(second) - min(second), 0.001) AS length
    FROM came
)
SELECT to_timestamp(max(second)) AS at, count(*) AS rows, count(*) FILTER (WHERE ok) AS ok
FROM came, bounds
GROUP BY least(trunc(
    (second - first) / length * :parts
), :parts - 1)
ORDER BY 1;

-- tokens: How long a run's prompts and answers are.
-- run = 'text'
SELECT percentile_cont(0.5) WITHIN
GROUP (ORDER BY input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens) AS input_median, percentile_cont(0.5) WITHIN
GROUP (ORDER BY output_tokens) AS output_median, percentile_cont(0.95) WITHIN
GROUP (ORDER BY output_tokens) AS output_95
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
        FROM whole_outcome
        WHERE item_id = ANY(ARRAY(
            SELECT id
            FROM item
            WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = (
                SELECT id
                FROM run
                WHERE name = :run
            ) AND state <> 'redone'
        ))
        LIMIT 250
    ) part
) whole_outcome
WHERE output_tokens > 0;

-- unsent: Runs whose reports their callbacks haven't got.
SELECT run_id
FROM catalog_report
WHERE callback IS NOT NULL
ORDER BY run_id;

