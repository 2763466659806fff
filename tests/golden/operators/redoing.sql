-- What ledger/operators/redoing.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _prospect: The same of the items that go in batches, or in real time.
-- direct = true, lane = 'text', rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', run = 'text'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), chosen AS (
    SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano
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
    JOIN whole_outcome AS outcome ON outcome.item_id = item.id
    WHERE item.state IN ('failed', 'canceled') AND outcome.problem IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM follower
        WHERE follower.item_id = item.id
    ) AND NOT EXISTS (
        SELECT
        FROM request
        WHERE request.item_id = item.id AND params = 'null'
    ) AND item.id IN (
        SELECT item.id
        FROM item
        WHERE item.lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        )
    ) AND (outcome.via = 'direct') = :direct
)
SELECT count(*) AS items, coalesce(sum(chosen.cost_nano), 0)::bigint AS billed_nano, coalesce(sum(
    (chosen.size + 2000) * rate.input_nano + chosen.max_tokens::bigint * rate.output_nano
), 0)::bigint AS most_nano, count(*) FILTER (WHERE rate.model_id IS NULL) AS unpriced
FROM chosen
LEFT JOIN rate ON rate.model_id = chosen.model_id AND chosen.size + 2000 > rate.above
    AND chosen.size + 2000 <= rate.up_to;

-- redo_group: Try one group of them again, in the order of items.
-- after = 1, lane = 'text', limit = 1, run = 'text', until = 1
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
JOIN whole_outcome AS outcome ON outcome.item_id = item.id
WHERE item.state IN ('failed', 'canceled') AND outcome.problem IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM follower
    WHERE follower.item_id = item.id
) AND NOT EXISTS (
    SELECT
    FROM request
    WHERE request.item_id = item.id AND params = 'null'
) AND item.id IN (
    SELECT item.id
    FROM item
    WHERE item.lane_id = (
        SELECT id
        FROM lane
        WHERE name = :lane
    )
) AND item.id > :after AND item.id <= :until
ORDER BY item.block, item.id
LIMIT :limit;

