-- What ledger/money/costs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- costs, 1 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- run_name = null, since = null
SELECT (
    SELECT name
    FROM lane
    WHERE id = key
) AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT lane_id AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(paid_twice)::bigint AS paid_twice,
        sum(unpriced)::bigint AS unpriced, coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0),
        0)::bigint AS paid_twice_nano, sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM spending
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:run_name AS text) IS NULL OR run_id = (
        SELECT id
        FROM run
        WHERE name = :run_name
    ))
    GROUP BY 1
) added
ORDER BY cost_nano DESC, name;

-- costs, 2 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- run_name = null, since = null
SELECT coalesce(
    (
        SELECT name
        FROM run
        WHERE id = key
    ), ''
) AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT run_id AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(paid_twice)::bigint AS paid_twice,
        sum(unpriced)::bigint AS unpriced, coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0),
        0)::bigint AS paid_twice_nano, sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM spending
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:run_name AS text) IS NULL OR run_id = (
        SELECT id
        FROM run
        WHERE name = :run_name
    ))
    GROUP BY 1
) added
ORDER BY cost_nano DESC, name;

-- costs, 3 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- run_name = null, since = null
SELECT coalesce(
    (
        SELECT name
        FROM tenant
        WHERE id = key
    ), ''
) AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT tenant_id AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(paid_twice)::bigint AS paid_twice,
        sum(unpriced)::bigint AS unpriced, coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0),
        0)::bigint AS paid_twice_nano, sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM spending
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:run_name AS text) IS NULL OR run_id = (
        SELECT id
        FROM run
        WHERE name = :run_name
    ))
    GROUP BY 1
) added
ORDER BY cost_nano DESC, name;

-- costs, 4 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- run_name = null, since = null
SELECT key AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT model AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(paid_twice)::bigint AS paid_twice,
        sum(unpriced)::bigint AS unpriced, coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0),
        0)::bigint AS paid_twice_nano, sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM spending
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:run_name AS text) IS NULL OR run_id = (
        SELECT id
        FROM run
        WHERE name = :run_name
    ))
    GROUP BY 1
) added
ORDER BY cost_nano DESC, name;

-- costs, 5 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- run_name = null, since = null
SELECT key::text AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano,
    input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens,
    thinking_tokens, thinking_nano
FROM (
    SELECT (at AT TIME ZONE 'UTC')::date AS key, sum(answers)::bigint AS answers,
        sum(cost_nano)::bigint AS cost_nano, sum(realtime_nano)::bigint AS realtime_nano,
        sum(paid_twice)::bigint AS paid_twice, sum(unpriced)::bigint AS unpriced,
        coalesce(sum(cost_nano) FILTER (WHERE paid_twice > 0), 0)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM spending
    WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
        AND (CAST(:run_name AS text) IS NULL OR run_id = (
        SELECT id
        FROM run
        WHERE name = :run_name
    ))
    GROUP BY 1
) added
ORDER BY name;

-- maybe_billed: What may have been billed since then without an answer. run_name: only in this run.
-- run_name = null, since = null
SELECT count(*) AS calls, coalesce(sum(input_tokens), 0)::bigint AS input_tokens,
    coalesce(sum(output_tokens), 0)::bigint AS output_tokens, coalesce(sum(cost_nano),
    0)::bigint AS at_most_nano, count(*) - count(cost_nano) AS unbounded
FROM maybe_billed
WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since) AND (CAST(:run_name AS text) IS NULL OR run_id = (
    SELECT id
    FROM run
    WHERE name = :run_name
));

