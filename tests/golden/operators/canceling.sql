-- What ledger/operators/canceling.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _of_road, 1 of 3
-- in_real_time = true, lane = 'text', rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', run = 'text', state = 'text'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), costing AS (
    SELECT chosen.n, is_unsent, is_free, rate.model_id IS NULL AS is_unpriced, CASE WHEN is_free THEN 0
        ELSE (bytes + chosen.n * 2000) * rate.input_nano + max_tokens * rate.output_nano END AS nano
    FROM (
        SELECT item.model_id, 1 AS n, item.size::bigint AS bytes, item.max_tokens::bigint AS max_tokens,
            item.state IN ('direct', 'racing') OR item.direct_at IS NOT NULL AS in_real_time,
            item.size + 2000 AS bound, item.state = 'following' AS is_free, (item.state IN ('waiting',
            'held', 'following') OR item.state IN ('batched') AND EXISTS (
            SELECT
            FROM batch
            WHERE batch.id = item.batch_id AND batch.state = 'packed'
        )) AS is_unsent
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
        WHERE item.lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        ) AND item.state = :state AND item.state IN ('waiting', 'held', 'batched', 'direct', 'racing',
            'following') AND NOT item.cancel_wanted AND item.waiting_since IS NOT NULL
    ) chosen
    LEFT JOIN rate ON rate.model_id = chosen.model_id AND bound > rate.above AND bound <= rate.up_to
    WHERE in_real_time = :in_real_time
)
SELECT coalesce(sum(n) FILTER (WHERE is_unsent), 0)::bigint AS unsent,
    coalesce(sum(nano) FILTER (WHERE is_unsent), 0)::bigint AS unsent_nano,
    coalesce(sum(n) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent,
    coalesce(sum(nano) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent_nano,
    coalesce(sum(n) FILTER (WHERE is_unpriced AND NOT is_free), 0)::bigint AS unpriced
FROM costing;

-- _of_road, 2 of 3
-- batches = '{1}', in_real_time = true, rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', workspace = 'text'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), costing AS (
    SELECT chosen.n, is_unsent, is_free, rate.model_id IS NULL AS is_unpriced, CASE WHEN is_free THEN 0
        ELSE (bytes + chosen.n * 2000) * rate.input_nano + max_tokens * rate.output_nano END AS nano
    FROM (
        SELECT item.model_id, item.n, item.bytes, item.max_tokens, item.in_real_time,
            item.up_to_tokens AS bound, item.state = 'following' AS is_free, (item.state IN ('waiting',
            'held', 'following') OR item.state IN ('batched') AND EXISTS (
            SELECT
            FROM batch
            WHERE batch.id = item.batch_id AND batch.state = 'packed'
        )) AS is_unsent
        FROM unfinished_sum item
        WHERE item.headers_id IN (
            SELECT id
            FROM headers
            WHERE workspace = :workspace
        ) AND (item.state = 'waiting' OR item.batch_id = ANY(:batches))
    ) chosen
    LEFT JOIN rate ON rate.model_id = chosen.model_id AND bound > rate.above AND bound <= rate.up_to
    WHERE in_real_time = :in_real_time
)
SELECT coalesce(sum(n) FILTER (WHERE is_unsent), 0)::bigint AS unsent,
    coalesce(sum(nano) FILTER (WHERE is_unsent), 0)::bigint AS unsent_nano,
    coalesce(sum(n) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent,
    coalesce(sum(nano) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent_nano,
    coalesce(sum(n) FILTER (WHERE is_unpriced AND NOT is_free), 0)::bigint AS unpriced
FROM costing;

-- _of_road, 3 of 3
-- batches = '{1}', in_real_time = true, lane = 'text', rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), costing AS (
    SELECT chosen.n, is_unsent, is_free, rate.model_id IS NULL AS is_unpriced, CASE WHEN is_free THEN 0
        ELSE (bytes + chosen.n * 2000) * rate.input_nano + max_tokens * rate.output_nano END AS nano
    FROM (
        SELECT item.model_id, item.n, item.bytes, item.max_tokens, item.in_real_time,
            item.up_to_tokens AS bound, item.state = 'following' AS is_free, (item.state IN ('waiting',
            'held', 'following') OR item.state IN ('batched') AND EXISTS (
            SELECT
            FROM batch
            WHERE batch.id = item.batch_id AND batch.state = 'packed'
        )) AS is_unsent
        FROM unfinished_sum item
        WHERE item.lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        ) AND (item.state = 'waiting' OR item.batch_id = ANY(:batches))
    ) chosen
    LEFT JOIN rate ON rate.model_id = chosen.model_id AND bound > rate.above AND bound <= rate.up_to
    WHERE in_real_time = :in_real_time
)
SELECT coalesce(sum(n) FILTER (WHERE is_unsent), 0)::bigint AS unsent,
    coalesce(sum(nano) FILTER (WHERE is_unsent), 0)::bigint AS unsent_nano,
    coalesce(sum(n) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent,
    coalesce(sum(nano) FILTER (WHERE NOT is_unsent), 0)::bigint AS sent_nano,
    coalesce(sum(n) FILTER (WHERE is_unpriced AND NOT is_free), 0)::bigint AS unpriced
FROM costing;

-- _unsent_batches
-- lane = 'text', workspace = null
SELECT batch.id
FROM batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
WHERE (batch.state IN ('packed') OR batch.state IN ('rejected') AND CAST(:workspace AS text) IS NULL)
    AND (CAST(:lane AS text) IS NULL OR lane.name = :lane)
    AND (CAST(:workspace AS text) IS NULL OR headers.workspace = :workspace);

-- cancel_group: Take one group of them back, in the order of items. Those that may have been sent are only not delivered.
-- after = 1, lane = 'text', limit = 1, run = 'text', state = 'text', until = 1
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
        ) AND block >= CAST(:after AS bigint) / 250 AND block <= CAST(:until AS bigint) / 250
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
WHERE item.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND item.state = :state AND item.state IN ('waiting', 'held', 'batched', 'direct', 'racing',
    'following') AND NOT item.cancel_wanted AND item.id > :after AND item.id <= :until
ORDER BY item.block, item.id
LIMIT :limit;

