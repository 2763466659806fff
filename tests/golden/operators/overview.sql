-- What ledger/operators/overview.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _tallied: How many items, deliveries and batches there are: by lane, noun and state.
SELECT noun, lane_id, state, sum(n)::bigint AS n
FROM tally
GROUP BY noun, lane_id, state
HAVING sum(n) <> 0
UNION ALL
SELECT 'batch', lane_id, state, count(*)
FROM batch
GROUP BY lane_id, state;

-- batches: Batches, the unfinished first, then the newest.
-- lane = null, limit = 1, states = '{text}', unfinished = '{text}'
SELECT batch.id, lane.name AS lane, headers.workspace, batch.state, regexp_replace(batch.reason,
    'encrypted:[^ ]+', '(encrypted)') AS reason, batch.items, batch.size, batch.packed_at,
    extract(epoch FROM now() - batch.packed_at)::float AS age_s,
    extract(epoch FROM now() - batch.changed_at)::float AS changed_s, CASE
    WHEN batch.not_before > now() THEN extract(epoch FROM batch.not_before - now())::float END AS resumes_s,
    extract(epoch FROM now() - newest.api_created_at)::float AS open_s,
    extract(epoch FROM newest.ended_at - newest.api_created_at)::float AS took_s,
    extract(epoch FROM newest.api_expires_at - now())::float AS expires_s, newest.api_id, (
    SELECT count(*)
    FROM submission
    WHERE submission.batch_id = batch.id
) AS submissions, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.unpriced, 0)::bigint AS unpriced
FROM (
    -- the few that are shown, before anything is looked up for them; each half by its own index
    (
        SELECT batch.*
        FROM batch
        WHERE (CAST(:lane AS text) IS NULL OR lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        )) AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states)) AND state = ANY(:unfinished)
        ORDER BY id DESC
        LIMIT :limit
    )
    UNION ALL (
        SELECT batch.*
        FROM batch
        WHERE (CAST(:lane AS text) IS NULL OR lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        )) AND (CAST(:states AS text[]) IS NULL OR state = ANY(:states)) AND NOT state = ANY(:unfinished)
        ORDER BY id DESC
        LIMIT :limit
    )
) batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
LEFT JOIN LATERAL (
    SELECT api_id, api_created_at, api_expires_at, ended_at
    FROM submission
    WHERE submission.batch_id = batch.id AND api_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT sum(spending.cost_nano) AS cost_nano, sum(spending.realtime_nano) AS realtime_nano,
        sum(spending.unpriced) AS unpriced
    FROM submission
    JOIN spending ON spending.submission_id = submission.id
    WHERE submission.batch_id = batch.id
) spent ON true
ORDER BY NOT batch.state = ANY(:unfinished), batch.id DESC
LIMIT :limit;

-- dead_deliveries: The newest deliveries that were given up, and why.
-- limit = 1
SELECT lane.name AS lane, target.broker, target.queue, dead.tries, dead.error
FROM (
    SELECT item_id, lane_id, target_id, tries, error
    FROM delivery
    WHERE state = 'dead'
    ORDER BY item_id DESC
    LIMIT :limit
) dead
JOIN lane ON lane.id = dead.lane_id
JOIN target ON target.id = dead.target_id
ORDER BY dead.item_id DESC;

-- lanes: Every lane that ever had an item.
SELECT lane.id, lane.name, lane.paused_at, lane.paused_reason, lane.paused_by,
    extract(epoch FROM now() - lane.paused_at)::float AS paused_for_s, (
    SELECT extract(epoch FROM now() - min(
        (
            SELECT min(waiting_since)
            FROM (
                WITH RECURSIVE head(tenant_id, waiting_since) AS (
                    (
                        SELECT tenant_id, waiting_since
                        FROM item
                        WHERE item.waiting_since IS NOT NULL AND item.lane_id = lane.id
                            AND item.headers_id = headers.id AND true
                        ORDER BY tenant_id, waiting_since
                        LIMIT 1
                    )
                    UNION ALL
                    SELECT next.tenant_id, next.waiting_since
                    FROM head
                    CROSS JOIN LATERAL (
                        SELECT tenant_id, waiting_since
                        FROM item
                        WHERE item.waiting_since IS NOT NULL AND item.lane_id = lane.id
                            AND item.headers_id = headers.id AND true AND item.tenant_id > head.tenant_id
                        ORDER BY tenant_id, waiting_since
                        LIMIT 1
                    ) next
                )
                SELECT tenant_id, waiting_since
                FROM head
                UNION ALL (
                    SELECT tenant_id, waiting_since
                    FROM item
                    WHERE item.waiting_since IS NOT NULL AND item.lane_id = lane.id
                        AND item.headers_id = headers.id AND true AND tenant_id IS NULL AND EXISTS (
                        SELECT
                        FROM head
                        WHERE head.tenant_id IS NOT NULL
                    )
                    ORDER BY tenant_id, waiting_since
                    LIMIT 1
                )
            ) head
        )
    ))::float
    FROM headers
) AS oldest_waiting_s, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.paid_twice, 0)::bigint AS paid_twice,
    coalesce(spent.unpriced, 0)::bigint AS unpriced, coalesce(uncounted.n, 0)::bigint AS unmeasured
FROM lane
LEFT JOIN (
    SELECT lane_id, sum(cost_nano) AS cost_nano, sum(realtime_nano) AS realtime_nano,
        sum(paid_twice) AS paid_twice, sum(unpriced) AS unpriced
    FROM daily_spending
    GROUP BY lane_id
) spent ON spent.lane_id = lane.id
LEFT JOIN (
    SELECT lane_id, count(*) AS n
    FROM unmeasured
    JOIN item ON item.id = unmeasured.item_id
    GROUP BY lane_id
) uncounted ON uncounted.lane_id = lane.id
ORDER BY lane.name;

-- turnarounds: How long the latest thousand batches took, by lane: what another may be expected to take.
SELECT lane.name AS lane, count(*) AS batches, percentile_cont(0.5) WITHIN
GROUP (ORDER BY latest.took_s) AS median_s, percentile_cont(0.9) WITHIN
GROUP (ORDER BY latest.took_s) AS slow_s
FROM (
    SELECT batch_id, extract(epoch FROM ended_at - api_created_at)::float AS took_s
    FROM submission
    WHERE ended_at IS NOT NULL AND api_created_at IS NOT NULL
    ORDER BY id DESC
    LIMIT 1000
) latest
JOIN batch ON batch.id = latest.batch_id
JOIN lane ON lane.id = batch.lane_id
GROUP BY lane.name;

