-- What ledger/counters.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- add: Add what was counted in memory. counts: how many, by name and label.
-- labels = '{text}', names = '{text}', numbers = '{1}'
INSERT INTO counter(name, label, n)
SELECT *
FROM unnest(CAST(:names AS text[]), CAST(:labels AS text[]), CAST(:numbers AS bigint[]));

-- add_turnaround: A batch has ended: count how long the API took for it, where that is known.
-- bounds = '{1}', ended_at = '2026-11-29', id = 1, name = 'text'
INSERT INTO counter(name, lane_id, label, n, amount)
SELECT :name, batch.lane_id, coalesce(
    (
        SELECT min(s)
        FROM unnest(CAST(:bounds AS int[])) AS s
        WHERE s >= took_s
    )::text, '+Inf'
), 1, (1000 * took_s)::bigint
FROM (
    SELECT batch_id, greatest(extract(epoch FROM CAST(:ended_at AS timestamptz) - api_created_at),
        0) AS took_s
    FROM submission
    WHERE id = :id AND api_created_at IS NOT NULL
) ended
JOIN batch ON batch.id = ended.batch_id;

-- counters: Every sum.
SELECT counter.name, lane.name AS lane, label, sum(n)::bigint AS n, sum(amount)::bigint AS amount
FROM counter
LEFT JOIN lane ON lane.id = counter.lane_id
GROUP BY counter.name, lane.name, label
ORDER BY counter.name, lane.name, label;

-- fold: Add up the changes. Returns how many rows there were.
WITH folded AS (
    DELETE FROM counter
    RETURNING name, lane_id, label, n, amount
)
INSERT INTO counter(name, lane_id, label, n, amount)
SELECT name, lane_id, label, sum(n), sum(amount)
FROM folded
GROUP BY name, lane_id, label;

