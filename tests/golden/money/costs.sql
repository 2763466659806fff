-- What ledger/money/costs.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- costs, 1 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- since = null
SELECT (
    SELECT name
    FROM lane
    WHERE id = key
) AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT lane_id AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
        sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM (
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM daily_spending
        WHERE CAST(:since AS timestamptz) IS NULL OR day > (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date
        UNION ALL
        -- of the day in whose middle it begins
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model, CASE
                WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano, answers, cost_nano,
                realtime_nano, unpriced, paid_twice, input_tokens, cache_write_5m_tokens,
                cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, thinking_nano
            FROM spending
            WHERE at >= CAST(:since AS timestamptz) AND at < (
                (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date + 1
            )::timestamp AT TIME ZONE 'UTC'
        ) first_day
    ) billed
    GROUP BY 1
    HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0
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
        sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
        sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM (
        SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model, CASE
            WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano, answers, cost_nano,
            realtime_nano, unpriced, paid_twice, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            cache_read_tokens, output_tokens, thinking_tokens, thinking_nano
        FROM spending
        WHERE (CAST(:since AS timestamptz) IS NULL OR at >= :since)
            AND (CAST(:run_name AS text) IS NULL OR run_id = (
            SELECT id
            FROM run
            WHERE name = :run_name
        ))
    ) billed
    GROUP BY 1
    HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0
) added
ORDER BY cost_nano DESC, name;

-- costs, 3 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- since = null
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
        sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
        sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM (
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM daily_spending
        WHERE CAST(:since AS timestamptz) IS NULL OR day > (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date
        UNION ALL
        -- of the day in whose middle it begins
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model, CASE
                WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano, answers, cost_nano,
                realtime_nano, unpriced, paid_twice, input_tokens, cache_write_5m_tokens,
                cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, thinking_nano
            FROM spending
            WHERE at >= CAST(:since AS timestamptz) AND at < (
                (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date + 1
            )::timestamp AT TIME ZONE 'UTC'
        ) first_day
    ) billed
    GROUP BY 1
    HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0
) added
ORDER BY cost_nano DESC, name;

-- costs, 4 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- since = null
SELECT key AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano, input_tokens,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens,
    thinking_nano
FROM (
    SELECT model AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
        sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM (
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM daily_spending
        WHERE CAST(:since AS timestamptz) IS NULL OR day > (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date
        UNION ALL
        -- of the day in whose middle it begins
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model, CASE
                WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano, answers, cost_nano,
                realtime_nano, unpriced, paid_twice, input_tokens, cache_write_5m_tokens,
                cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, thinking_nano
            FROM spending
            WHERE at >= CAST(:since AS timestamptz) AND at < (
                (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date + 1
            )::timestamp AT TIME ZONE 'UTC'
        ) first_day
    ) billed
    GROUP BY 1
    HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0
) added
ORDER BY cost_nano DESC, name;

-- costs, 5 of 5: What was billed since then, by day in their order, else the dearest first. run_name: only in this run.
-- since = null
SELECT key::text AS name, answers, cost_nano, realtime_nano, unpriced, paid_twice, paid_twice_nano,
    input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, output_tokens,
    thinking_tokens, thinking_nano
FROM (
    SELECT day AS key, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
        sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
        sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
        sum(input_tokens)::bigint AS input_tokens,
        sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
        sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
    FROM (
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM daily_spending
        WHERE CAST(:since AS timestamptz) IS NULL OR day > (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date
        UNION ALL
        -- of the day in whose middle it begins
        SELECT day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced, paid_twice,
            paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens,
            output_tokens, thinking_tokens, thinking_nano
        FROM (
            SELECT (at AT TIME ZONE 'UTC')::date AS day, lane_id, tenant_id, run_id, model, CASE
                WHEN paid_twice > 0 THEN cost_nano ELSE 0 END AS paid_twice_nano, answers, cost_nano,
                realtime_nano, unpriced, paid_twice, input_tokens, cache_write_5m_tokens,
                cache_write_1h_tokens, cache_read_tokens, output_tokens, thinking_tokens, thinking_nano
            FROM spending
            WHERE at >= CAST(:since AS timestamptz) AND at < (
                (CAST(:since AS timestamptz) AT TIME ZONE 'UTC')::date + 1
            )::timestamp AT TIME ZONE 'UTC'
        ) first_day
    ) billed
    GROUP BY 1
    HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0
) added
ORDER BY name;

-- fold_days: Add up the changes of days, as `rescue.fold_tally` does. Returns how many sums it wrote.
-- minute = null
WITH today(day, minute) AS MATERIALIZED (
    SELECT (now() AT TIME ZONE 'UTC')::date, coalesce(CAST(:minute AS integer),
        extract(minute FROM now())::integer)
), due(days) AS MATERIALIZED (
    SELECT array_agg(day)
    FROM (
        SELECT day - back AS day
        FROM today, generate_series(-1, 1) back
        UNION
        SELECT day - 60 * back - minute
        FROM today, generate_series(0, (day - (
            SELECT min(day)
            FROM daily_spending
        )) / 60) back
    ) whose_turn_it_is
), changed AS MATERIALIZED (
    SELECT day, lane_id, tenant_id, model
    FROM daily_spending
    WHERE day = ANY(
        (
            SELECT days
            FROM due
        )::date[]
    )
    GROUP BY day, lane_id, tenant_id, model
    HAVING count(*) > 1 OR NOT (sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0)
), folded AS (
    DELETE FROM daily_spending part USING changed
    -- said of the table, too: else all of it is read
    WHERE part.day = ANY(
        (
            SELECT days
            FROM due
        )::date[]
    ) AND part.day = changed.day AND part.lane_id = changed.lane_id AND part.model = changed.model
        AND part.tenant_id IS NOT DISTINCT FROM changed.tenant_id
    RETURNING part.*
)
INSERT INTO daily_spending(day, lane_id, tenant_id, model, answers, cost_nano, realtime_nano, unpriced,
    paid_twice, paid_twice_nano, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
    cache_read_tokens, output_tokens, thinking_tokens, thinking_nano)
SELECT day, lane_id, tenant_id, model, sum(answers)::bigint AS answers, sum(cost_nano)::bigint AS cost_nano,
    sum(realtime_nano)::bigint AS realtime_nano, sum(unpriced)::bigint AS unpriced,
    sum(paid_twice)::bigint AS paid_twice, sum(paid_twice_nano)::bigint AS paid_twice_nano,
    sum(input_tokens)::bigint AS input_tokens, sum(cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
    sum(cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
    sum(cache_read_tokens)::bigint AS cache_read_tokens, sum(output_tokens)::bigint AS output_tokens,
    sum(thinking_tokens)::bigint AS thinking_tokens, sum(thinking_nano)::bigint AS thinking_nano
FROM folded
GROUP BY day, lane_id, tenant_id, model
HAVING sum(answers) <> 0 OR sum(cost_nano) <> 0 OR sum(realtime_nano) <> 0 OR sum(unpriced) <> 0 OR sum(paid_twice) <> 0 OR sum(paid_twice_nano) <> 0 OR sum(input_tokens) <> 0 OR sum(cache_write_5m_tokens) <> 0 OR sum(cache_write_1h_tokens) <> 0 OR sum(cache_read_tokens) <> 0 OR sum(output_tokens) <> 0 OR sum(thinking_tokens) <> 0 OR sum(thinking_nano) <> 0;

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

