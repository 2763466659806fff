-- What ledger/operators/problems.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _next_window, 1 of 2
-- before = 1, run = 'text', window = 1
SELECT count(*) AS n, min(id) AS last
FROM (
    SELECT item.id
    FROM (
        SELECT own.block, part.*
        FROM (
            SELECT DISTINCT block
            FROM run_block
            WHERE run_id = (
                SELECT id
                FROM run
                WHERE name = :run
            ) AND block <= CAST(:before AS bigint) / 250
            ORDER BY block DESC
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
    WHERE item.id < :before
    ORDER BY item.block DESC, item.id DESC
    LIMIT :window
) newest;

-- _next_window, 2 of 2
-- before = 1, window = 1
SELECT count(*) AS n, min(item_id) AS last
FROM (
    SELECT item_id
    FROM outcome
    WHERE problem IS NOT NULL AND item_id < :before
    ORDER BY item_id DESC
    LIMIT :window
) newest;

-- _said_within, 1 of 2
-- before = 1, first = 1, lane = 'text', run = 'text', since = '2026-11-29'
SELECT lane.name AS lane, problem, coalesce(left(CASE WHEN detail LIKE 'encrypted:%' THEN '(encrypted)'
    ELSE detail END, 400), '') AS detail, array_agg(outcome.item_id) AS item_ids,
    min(finished_at) AS first_at, max(finished_at) AS last_at
FROM (
    SELECT part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:first AS bigint) / 250 AND block <= CAST(:before AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM outcome
        WHERE item_id >= own.block::bigint * 250 AND item_id < (own.block + 1)::bigint * 250
            AND problem IS NOT NULL
        LIMIT 250
    ) part
) outcome
CROSS JOIN LATERAL (
    SELECT *
    FROM item
    WHERE id = outcome.item_id AND run_id = (
        SELECT id
        FROM run
        WHERE name = :run
    )
    LIMIT 1
) item
JOIN lane ON lane.id = item.lane_id
WHERE outcome.problem IS NOT NULL AND item.state <> 'redone' AND outcome.item_id >= :first
    AND outcome.item_id < :before AND item.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND outcome.problem IS NOT NULL AND outcome.finished_at >= :since
GROUP BY 1, 2, 3;

-- _said_within, 2 of 2
-- before = 1, first = 1
SELECT lane.name AS lane, problem, coalesce(left(CASE WHEN detail LIKE 'encrypted:%' THEN '(encrypted)'
    ELSE detail END, 400), '') AS detail, array_agg(outcome.item_id) AS item_ids,
    min(finished_at) AS first_at, max(finished_at) AS last_at
FROM outcome
JOIN item ON item.id = outcome.item_id
JOIN lane ON lane.id = item.lane_id
WHERE outcome.problem IS NOT NULL AND item.state <> 'redone' AND outcome.item_id >= :first
    AND outcome.item_id < :before
GROUP BY 1, 2, 3;

-- finished: Items that got their outcome since then, in the order in which they did; at most so many.
-- lane = 'text', limit = 1, problem = 'text', run = 'text', since = '2026-11-29'
SELECT item.id, request.key, request.trace_id, lane.name AS lane, request.tenant, run.name AS run,
    item.state, outcome.problem, left(CASE WHEN outcome.detail LIKE 'encrypted:%' THEN '(encrypted)'
    ELSE outcome.detail END, 400) AS detail, outcome.model, outcome.via, outcome.attempts, outcome.cost_nano,
    outcome.finished_at
FROM whole_outcome AS outcome
JOIN (
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
) item ON item.id = outcome.item_id
JOIN request ON request.item_id = outcome.item_id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
WHERE true AND item.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND outcome.problem IS NOT NULL AND outcome.problem = :problem AND outcome.finished_at >= :since
ORDER BY outcome.finished_at, outcome.item_id
LIMIT :limit;

-- totals: How many had which problem so far, the most frequent first: from the tally, so exact and without counting.
SELECT lane.name AS lane, counted.state AS problem, counted.n
FROM (
    SELECT lane_id, state, sum(n)::bigint AS n
    FROM tally
    WHERE noun = 'problem'
    GROUP BY lane_id, state
    HAVING sum(n) > 0
) counted
JOIN lane ON lane.id = counted.lane_id
ORDER BY counted.n DESC, lane, problem;

