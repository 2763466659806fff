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

-- items, 1 of 4: Items with their outcomes, by id, from a cursor on the server: flat for any number.
-- batch_id = 1, key_hash = '\x00', lane = 'text', limit = 1, run = 'text', since = '2026-11-29', state = 'text'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place, item.give_up_at, item.batch_chance, item.direct_at, item.batch_id, item.model_id,
    item.size, item.max_tokens, (
    SELECT name
    FROM model
    WHERE model.id = item.model_id
) AS asked_model, (
    SELECT extract(epoch FROM coalesce(ended_at, now()) - api_created_at)::float
    FROM submission
    WHERE submission.batch_id = item.batch_id AND api_created_at IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS took_s, CASE WHEN item.held_by = 0 THEN item.held_reason WHEN item.held_by IS NOT NULL THEN (
    SELECT item.held_reason || ': ' || coalesce('lane ' || lane.name, 'tenant ' || tenant.name,
        'run ' || run.name, 'trace ' || chain.trace_id) || CASE period WHEN 'all' THEN ', in all' ELSE ',
        a ' || period END || CASE item.held_reason
        WHEN 'over the cap by itself' THEN '; it needs ' || '$' || trim_scale(item.reserved_nano / 1000000000::numeric) || ', the cap is ' || '$' || trim_scale(cap_nano / 1000000000::numeric) ELSE '' END
    FROM budget
    LEFT JOIN lane ON lane.id = budget.lane_id
    LEFT JOIN tenant ON tenant.id = budget.tenant_id
    LEFT JOIN run ON run.id = budget.run_id
    LEFT JOIN chain ON chain.id = budget.chain_id
    WHERE budget.id = item.held_by
) END AS held
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
JOIN request ON request.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE lane.name = :lane AND item.batch_id = :batch_id AND item.state = :state AND item.id <= (
    SELECT max(item_id)
    FROM outcome
) AND outcome.problem IS NOT NULL AND outcome.finished_at >= :since AND outcome.ok IS NOT NULL
    AND item.state <> 'redone' AND item.id IN (
    SELECT item_id
    FROM item_key
    WHERE key_hash = :key_hash
)
ORDER BY item.block DESC, item.id DESC
LIMIT :limit;

-- items, 2 of 4: Items with their outcomes, by id, from a cursor on the server: flat for any number.
-- limit = null, state = 'text'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place, item.give_up_at, item.batch_chance, item.direct_at, item.batch_id, item.model_id,
    item.size, item.max_tokens, (
    SELECT name
    FROM model
    WHERE model.id = item.model_id
) AS asked_model, (
    SELECT extract(epoch FROM coalesce(ended_at, now()) - api_created_at)::float
    FROM submission
    WHERE submission.batch_id = item.batch_id AND api_created_at IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS took_s, CASE WHEN item.held_by = 0 THEN item.held_reason WHEN item.held_by IS NOT NULL THEN (
    SELECT item.held_reason || ': ' || coalesce('lane ' || lane.name, 'tenant ' || tenant.name,
        'run ' || run.name, 'trace ' || chain.trace_id) || CASE period WHEN 'all' THEN ', in all' ELSE ',
        a ' || period END || CASE item.held_reason
        WHEN 'over the cap by itself' THEN '; it needs ' || '$' || trim_scale(item.reserved_nano / 1000000000::numeric) || ', the cap is ' || '$' || trim_scale(cap_nano / 1000000000::numeric) ELSE '' END
    FROM budget
    LEFT JOIN lane ON lane.id = budget.lane_id
    LEFT JOIN tenant ON tenant.id = budget.tenant_id
    LEFT JOIN run ON run.id = budget.run_id
    LEFT JOIN chain ON chain.id = budget.chain_id
    WHERE budget.id = item.held_by
) END AS held
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.state = :state
ORDER BY item.id
LIMIT :limit;

-- items, 3 of 4: Items with their outcomes, by id, from a cursor on the server: flat for any number.
-- key_hash = '\x00', limit = 1, state = 'text'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place, item.give_up_at, item.batch_chance, item.direct_at, item.batch_id, item.model_id,
    item.size, item.max_tokens, (
    SELECT name
    FROM model
    WHERE model.id = item.model_id
) AS asked_model, (
    SELECT extract(epoch FROM coalesce(ended_at, now()) - api_created_at)::float
    FROM submission
    WHERE submission.batch_id = item.batch_id AND api_created_at IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS took_s, CASE WHEN item.held_by = 0 THEN item.held_reason WHEN item.held_by IS NOT NULL THEN (
    SELECT item.held_reason || ': ' || coalesce('lane ' || lane.name, 'tenant ' || tenant.name,
        'run ' || run.name, 'trace ' || chain.trace_id) || CASE period WHEN 'all' THEN ', in all' ELSE ',
        a ' || period END || CASE item.held_reason
        WHEN 'over the cap by itself' THEN '; it needs ' || '$' || trim_scale(item.reserved_nano / 1000000000::numeric) || ', the cap is ' || '$' || trim_scale(cap_nano / 1000000000::numeric) ELSE '' END
    FROM budget
    LEFT JOIN lane ON lane.id = budget.lane_id
    LEFT JOIN tenant ON tenant.id = budget.tenant_id
    LEFT JOIN run ON run.id = budget.run_id
    LEFT JOIN chain ON chain.id = budget.chain_id
    WHERE budget.id = item.held_by
) END AS held
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.state = :state AND item.id <= (
    SELECT max(item_id)
    FROM outcome
) AND item.id IN (
    SELECT item_id
    FROM item_key
    WHERE key_hash = :key_hash
)
ORDER BY item.id DESC
LIMIT :limit;

-- items, 4 of 4: Items with their outcomes, by id, from a cursor on the server: flat for any number.
-- batch_id = 1, delivery = 'text', key_hash = '\x00', lane = 'text', limit = 1, run = 'text', since = '2026-11-29', state = 'text'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, outcome.ok, outcome.problem, outcome.retryable,
    outcome.model, outcome.cost_nano, outcome.realtime_nano, coalesce(outcome.attempts,
    item.attempts) AS attempts, outcome.via, coalesce(outcome.api_batch_id, (
    SELECT api_id
    FROM submission
    WHERE submission.id = outcome.submission_id
)) AS api_batch_id, outcome.finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano, outcome.detail, outcome.message, outcome.body_group,
    outcome.body_place, item.give_up_at, item.batch_chance, item.direct_at, item.batch_id, item.model_id,
    item.size, item.max_tokens, (
    SELECT name
    FROM model
    WHERE model.id = item.model_id
) AS asked_model, (
    SELECT extract(epoch FROM coalesce(ended_at, now()) - api_created_at)::float
    FROM submission
    WHERE submission.batch_id = item.batch_id AND api_created_at IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS took_s, CASE WHEN item.held_by = 0 THEN item.held_reason WHEN item.held_by IS NOT NULL THEN (
    SELECT item.held_reason || ': ' || coalesce('lane ' || lane.name, 'tenant ' || tenant.name,
        'run ' || run.name, 'trace ' || chain.trace_id) || CASE period WHEN 'all' THEN ', in all' ELSE ',
        a ' || period END || CASE item.held_reason
        WHEN 'over the cap by itself' THEN '; it needs ' || '$' || trim_scale(item.reserved_nano / 1000000000::numeric) || ', the cap is ' || '$' || trim_scale(cap_nano / 1000000000::numeric) ELSE '' END
    FROM budget
    LEFT JOIN lane ON lane.id = budget.lane_id
    LEFT JOIN tenant ON tenant.id = budget.tenant_id
    LEFT JOIN run ON run.id = budget.run_id
    LEFT JOIN chain ON chain.id = budget.chain_id
    WHERE budget.id = item.held_by
) END AS held, coalesce(delivery.state, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN CASE WHEN EXISTS (
    SELECT
    FROM hand_over
    WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
) THEN 'sending' ELSE 'delivered' END END) AS delivery, delivery.error AS delivery_error,
    coalesce(delivery.tries, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN 1 END) AS delivery_tries, target.queue AS delivery_queue, target.broker AS delivery_broker
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
JOIN request ON request.item_id = item.id
LEFT JOIN outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
LEFT JOIN delivery ON delivery.item_id = item.id
LEFT JOIN target ON target.id = coalesce(delivery.target_id, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN item.target_id END)
WHERE lane.name = :lane AND item.batch_id = :batch_id AND item.state = :state AND item.id <= (
    SELECT max(item_id)
    FROM outcome
) AND outcome.problem IS NOT NULL AND outcome.finished_at >= :since AND outcome.ok IS NOT NULL
    AND item.state <> 'redone' AND coalesce(delivery.state, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN CASE WHEN EXISTS (
    SELECT
    FROM hand_over
    WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
) THEN 'sending' ELSE 'delivered' END END) = :delivery AND item.id IN (
    SELECT item_id
    FROM item_key
    WHERE key_hash = :key_hash
)
ORDER BY item.block DESC, item.id DESC
LIMIT :limit;

-- lanes: Every lane that ever had an item.
SELECT lane.id, lane.name, lane.paused_at, lane.paused_reason, (
    SELECT extract(epoch FROM now() - min(
        (
            SELECT min(waiting_since)
            FROM (
                WITH RECURSIVE head(tenant_id, waiting_since) AS (
                    (
                        SELECT tenant_id, waiting_since
                        FROM item
                        WHERE item.waiting_since IS NOT NULL AND item.lane_id = lane.id
                            AND item.headers_id = headers.id AND true AND tenant_id IS NOT NULL
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
                        AND item.headers_id = headers.id AND true AND tenant_id IS NULL
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
    FROM spending
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

