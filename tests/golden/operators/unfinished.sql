-- What ledger/operators/unfinished.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- fold: Add up the changes, as `rescue.fold_tally` does. Returns how many sums it wrote.
WITH changed AS MATERIALIZED (
    SELECT lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens
    FROM unfinished_sum
    GROUP BY lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens
    HAVING count(*) > 1 OR bool_and(n = 0 AND bytes = 0 AND max_tokens = 0)
), folded AS (
    DELETE FROM unfinished_sum part USING changed
    WHERE (part.lane_id, part.headers_id, part.model_id, part.state, part.in_real_time,
        part.up_to_tokens) = (changed.lane_id, changed.headers_id, changed.model_id, changed.state,
        changed.in_real_time, changed.up_to_tokens) AND part.batch_id IS NOT DISTINCT FROM changed.batch_id
    RETURNING part.*
)
INSERT INTO unfinished_sum(lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens, n,
    bytes, max_tokens)
SELECT lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens, sum(n), sum(bytes),
    sum(max_tokens)
FROM folded
GROUP BY lane_id, headers_id, batch_id, model_id, state, in_real_time, up_to_tokens
HAVING sum(n) <> 0 OR sum(bytes) <> 0 OR sum(max_tokens) <> 0;

