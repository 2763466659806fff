-- What ledger/catalogs/answers.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- failed: The next items of all runs of a catalog that have failed or were taken back.
-- after = 1, but = '{text}', catalog = 'text', limit = 1
SELECT item.id, request.key
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = ANY(ARRAY(
            SELECT run.id
            FROM run
            JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
            WHERE catalog_run.catalog_id = (
                SELECT id
                FROM catalog
                WHERE name = :catalog
            )
        )) AND block >= CAST(:after AS bigint) / 250
        ORDER BY block
    ) own
    CROSS JOIN LATERAL (
        SELECT *
        FROM item
        WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = ANY(ARRAY(
            SELECT run.id
            FROM run
            JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
            WHERE catalog_run.catalog_id = (
                SELECT id
                FROM catalog
                WHERE name = :catalog
            )
        ))
        LIMIT 250
    ) part
) item
JOIN request ON request.item_id = item.id
JOIN outcome ON outcome.item_id = item.id
WHERE state IN ('failed', 'canceled') AND outcome.problem <> ALL (:but) AND starts_with(request.key,
    'catalog/') AND item.id > :after
ORDER BY item.block, item.id
LIMIT :limit;

-- groups: What came of a run's rows, by problem.
-- run = 'text'
SELECT ok, problem, state, count(*) AS rows, count(*) FILTER (WHERE redos > 0) AS asked_again,
    coalesce(sum(cost_nano), 0)::bigint AS cost_nano, count(*) FILTER (WHERE ok IS NOT NULL
    AND cost_nano IS NULL) AS unpriced, count(*) FILTER (WHERE had_already) AS had_already
FROM (
    SELECT outcome.ok, outcome.problem, item.state, coalesce(redo.number, 0) AS redos,
        outcome.cost_nano + CASE WHEN redo.item_id IS NULL THEN 0
        ELSE redo.cost_before_nano END AS cost_nano, EXISTS (
        SELECT
        FROM follower
        WHERE follower.item_id = item.id
    ) AS had_already
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
    LEFT JOIN outcome ON outcome.item_id = item.id
    LEFT JOIN redo ON redo.item_id = item.id
    WHERE item.state <> 'redone'
) each
GROUP BY ok, problem, state
ORDER BY rows DESC, problem, state;

-- not_sent: Items of a run that can still be taken back. held: only those that the run's own budget holds.
-- held = true, run = 'text'
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
WHERE CASE WHEN :held THEN item.state = 'held' AND item.held_by IN (
    SELECT id
    FROM budget
    WHERE budget.run_id = item.run_id
) ELSE item.state IN ('held', 'waiting', 'following', 'batched') END
ORDER BY item.id;

-- note_unsent: Note rows that couldn't be sent; those that are noted already stay. Raises NoKey.
-- causes = '{text}', details = '{text}', entries = '{\x00}', keys = '{text}', run_id = 1, variants = '{null}'
INSERT INTO catalog_unsent(run_id, entry, key, variant, cause, detail)
SELECT :run_id, *
FROM unnest(CAST(:entries AS bytea[]), CAST(:keys AS text[]), CAST(:variants AS text[]),
    CAST(:causes AS text[]), CAST(:details AS text[]))
ON CONFLICT DO NOTHING;

-- spent: Nano-dollars that runs of a catalog were billed in the last hours. but: not those of this run.
-- but = 1, catalog = 'text', hours = 1
SELECT coalesce(sum(spending.cost_nano), 0)::bigint
FROM spending
JOIN run ON run.id = spending.run_id
JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
WHERE catalog_run.catalog_id = (
    SELECT id
    FROM catalog
    WHERE name = :catalog
) AND spending.at > now() - make_interval(hours => :hours)
    AND catalog_run.id IS DISTINCT FROM CAST(:but AS bigint);

-- to_ask_again: The next failed items of a run that have such a problem, or may do better another time.
-- after = 1, limit = 1, problems = '{text}', run = 'text', times = 1
SELECT item.id, outcome.problem, outcome.detail, outcome.message, outcome.body_group, outcome.body_place,
    item.size, item.max_tokens
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:after AS bigint) / 250
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
JOIN outcome ON outcome.item_id = item.id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id > :after AND state IN ('failed', 'canceled') AND NOT item.cancel_wanted
    AND (outcome.problem = ANY(:problems) OR outcome.retryable) AND coalesce(redo.number, 0) < :times
    AND NOT EXISTS (
    SELECT
    FROM follower
    WHERE follower.item_id = item.id
)
ORDER BY item.block, item.id
LIMIT :limit;

-- under_way: What of a run isn't back.
-- run = 'text'
SELECT mine.rows, coalesce(batch.items, mine.rows)::bigint AS batch_items,
    extract(epoch FROM now() - created.at)::float AS open_s
FROM (
    SELECT batch_id, count(*) AS rows
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
    WHERE state IN ('waiting', 'held', 'batched', 'direct', 'racing', 'following')
    GROUP BY batch_id
) mine
LEFT JOIN batch ON batch.id = mine.batch_id
LEFT JOIN LATERAL (
    SELECT max(api_created_at) AS at
    FROM submission
    WHERE submission.batch_id = batch.id
) created ON true
ORDER BY mine.batch_id;

-- unsent: The rows of a run that couldn't be sent. Raises NoKey.
-- run_id = 1
SELECT entry, key, variant, cause, detail
FROM catalog_unsent
WHERE run_id = :run_id
ORDER BY entry;

-- verdicts: The next items of a run, in the order of their ids. after: the last id of the page before.
-- after = 1, limit = 1, run = 'text'
SELECT item.id, request.key, outcome.ok, outcome.problem
FROM (
    SELECT own.block, part.*
    FROM (
        SELECT DISTINCT block
        FROM run_block
        WHERE run_id = (
            SELECT id
            FROM run
            WHERE name = :run
        ) AND block >= CAST(:after AS bigint) / 250
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
JOIN request ON request.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
WHERE item.id > :after AND item.state <> 'redone'
ORDER BY item.block, item.id
LIMIT :limit;

