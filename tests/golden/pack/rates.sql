-- What ledger/pack/rates.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- expected: What a lane's latest answers cost as a share of the worst, plus twice that share's error; by model.
-- fewest = 1, lane_id = 1, latest = 1, rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}'
WITH rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), latest AS (
    SELECT item.model_id, item.size, item.max_tokens, outcome.cost_nano
    FROM (
        SELECT id
        FROM batch
        WHERE lane_id = :lane_id AND state = 'collected'
        ORDER BY id DESC
        LIMIT 10
    ) batch
    JOIN item ON item.batch_id = batch.id
    JOIN outcome ON outcome.item_id = item.id
    WHERE outcome.billed AND outcome.cost_nano IS NOT NULL
    ORDER BY item.id DESC
    LIMIT :latest
), answer AS (
    SELECT latest.model_id, latest.cost_nano::float AS cost, (
        (latest.size + 2000) * rate.input_nano + latest.max_tokens::bigint * rate.output_nano
    )::float AS worst
    FROM latest
    JOIN rate ON rate.model_id = latest.model_id AND latest.size + 2000 > rate.above
        AND latest.size + 2000 <= rate.up_to
), learned AS (
    SELECT model_id, sum(cost) / sum(worst) AS share, count(*) AS n, avg(worst) AS worst
    FROM answer
    GROUP BY model_id
    HAVING count(*) >= :fewest
)
SELECT model_id, learned.share + 2 * sqrt(sum(
    (cost - learned.share * answer.worst) ^ 2
)) / (learned.worst * sqrt(learned.n * (learned.n - 1))) AS share
FROM learned
JOIN answer USING (model_id)
GROUP BY model_id, learned.share, learned.n, learned.worst;

-- road_rates: The rates of all models that items have, in a batch or in real time.
SELECT id, name
FROM model;

