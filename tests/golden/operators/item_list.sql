-- What ledger/operators/item_list.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _chosen, 1 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, run = 'text'
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
        ) AND block >= CAST(:oldest AS bigint) / 250 AND block <= CAST(:before AS bigint) / 250
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
WHERE true AND item.id >= :oldest AND item.id < :before
ORDER BY item.block DESC, item.id DESC
LIMIT :limit;

-- _chosen, 2 of 17: The newest of a window that are wanted.
-- before = 1, enqueued_before = '2026-11-29', enqueued_since = '2026-11-29', limit = 1, oldest = 1
SELECT item.id
FROM item
JOIN request ON request.item_id = item.id
WHERE request.enqueued_at >= :enqueued_since AND request.enqueued_at < :enqueued_before
    AND item.id >= :oldest AND item.id < :before AND request.item_id >= :oldest AND request.item_id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 3 of 17: The newest of a window that are wanted.
-- before = 1, key_prefix = 'text', limit = 1, oldest = 1
SELECT item.id
FROM item
JOIN request ON request.item_id = item.id
WHERE starts_with(request.key, :key_prefix) AND item.id >= :oldest AND item.id < :before
    AND request.item_id >= :oldest AND request.item_id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 4 of 17: The newest of a window that are wanted.
-- before = 1, delivery = 'text', limit = 1, oldest = 1
SELECT item.id
FROM item
LEFT JOIN outcome ON outcome.item_id = item.id
LEFT JOIN delivery ON delivery.item_id = item.id
WHERE coalesce(delivery.state, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN CASE WHEN EXISTS (
    SELECT
    FROM hand_over
    WHERE item.id BETWEEN hand_over.id AND last_item AND item.id = ANY(item_ids)
) THEN 'sending' ELSE 'delivered' END END) = :delivery AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 5 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1
SELECT item.id
FROM item
LEFT JOIN outcome ON outcome.item_id = item.id
WHERE item.deadline < coalesce(outcome.finished_at, now()) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 6 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1
SELECT item.id
FROM item
LEFT JOIN outcome ON outcome.item_id = item.id
WHERE item.state IN ('canceled', 'failed', 'redone', 'following') AND outcome.problem IS NOT NULL
    AND item.id >= :oldest AND item.id < :before AND item.id IN (
    SELECT item_id
    FROM outcome
    WHERE problem IS NOT NULL AND item_id >= :oldest AND item_id < :before
)
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 7 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, problem = 'text'
SELECT item.id
FROM item
LEFT JOIN outcome ON outcome.item_id = item.id
WHERE item.state IN ('canceled', 'failed', 'redone', 'following') AND outcome.problem IS NOT NULL
    AND outcome.problem = :problem AND item.id >= :oldest AND item.id < :before AND item.id IN (
    SELECT item_id
    FROM outcome
    WHERE problem IS NOT NULL AND item_id >= :oldest AND item_id < :before
)
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 8 of 17: The newest of a window that are wanted.
-- batch_id = 1, before = 1, limit = 1, oldest = 1
SELECT item.id
FROM item
WHERE item.batch_id = :batch_id AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 9 of 17: The newest of a window that are wanted.
-- before = 1, ids = '{1}', limit = 1, oldest = 1
SELECT item.id
FROM item
WHERE item.id = ANY(:ids) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 10 of 17: The newest of a window that are wanted.
-- before = 1, key_hash = '\x00', limit = 1, oldest = 1
SELECT item.id
FROM item
WHERE item.id IN (
    SELECT item_id
    FROM item_key
    WHERE lane_id IN (
        SELECT id
        FROM lane
    ) AND key_hash = :key_hash
) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 11 of 17: The newest of a window that are wanted.
-- before = 1, lane = 'text', limit = 1, oldest = 1
SELECT item.id
FROM item
WHERE item.lane_id = (
    SELECT id
    FROM lane
    WHERE name = :lane
) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 12 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, model = 'text', oldest = 1
SELECT item.id
FROM item
WHERE item.model_id = (
    SELECT id
    FROM model
    WHERE name = :model
) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 13 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, state = 'text'
SELECT item.id
FROM item
WHERE item.state = :state AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 14 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, state = 'text'
SELECT item.id
FROM item
WHERE item.state = :state AND item.id >= :oldest AND item.id < :before AND item.id IN (
    SELECT item_id
    FROM outcome
    WHERE problem IS NOT NULL AND item_id >= :oldest AND item_id < :before
)
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 15 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, queue = 'text'
SELECT item.id
FROM item
WHERE item.target_id IN (
    SELECT id
    FROM target
    WHERE queue = :queue
) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 16 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1, tenant = 'text'
SELECT item.id
FROM item
WHERE item.tenant_id = (
    SELECT id
    FROM tenant
    WHERE name = :tenant
) AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _chosen, 17 of 17: The newest of a window that are wanted.
-- before = 1, limit = 1, oldest = 1
SELECT item.id
FROM item
WHERE true AND item.id >= :oldest AND item.id < :before
ORDER BY item.id DESC
LIMIT :limit;

-- _views: Items by their ids, as operators see them.
-- ids = '{1}'
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
    ELSE redo.cost_before_nano END AS cost_before_nano, CASE
    WHEN outcome.detail LIKE 'encrypted:%' THEN '(encrypted)' ELSE outcome.detail END AS detail,
    NULL AS message, NULL AS body_group, NULL AS body_place, item.give_up_at, item.batch_chance,
    item.direct_at, item.batch_id, item.model_id, item.size, item.max_tokens, (
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
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
LEFT JOIN delivery ON delivery.item_id = item.id
LEFT JOIN target ON target.id = coalesce(delivery.target_id, CASE WHEN (outcome.handed_over AND NOT EXISTS (
    SELECT
    FROM kept
    WHERE first_item = item.id - mod(item.id, 5000000) AND deliveries_dropped_at IS NOT NULL
)) THEN item.target_id END)
WHERE item.id = ANY(:ids)
ORDER BY item.id DESC;

-- _window, 1 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, run = 'text', window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM (
        SELECT own.block, part.*
        FROM (
            SELECT DISTINCT block
            FROM run_block
            WHERE run_id = (
                SELECT id
                FROM run
                WHERE name = :run
            ) AND block <= CAST(:before AS bigint) / 250
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
    WHERE true AND id < :before
    ORDER BY item.block DESC, item.id DESC
    LIMIT :window
) looked;

-- _window, 2 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- batch_id = 1, before = 1, window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM item
    WHERE batch_id = :batch_id AND id < :before
    ORDER BY id DESC
    LIMIT :window
) looked;

-- _window, 3 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM item
    WHERE held_by IS NOT NULL AND id < :before
    ORDER BY id DESC
    LIMIT :window
) looked;

-- _window, 4 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, ids = '{1}', window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM item
    WHERE id = ANY(:ids) AND id < :before
    ORDER BY id DESC
    LIMIT :window
) looked;

-- _window, 5 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM item
    WHERE true AND id < :before
    ORDER BY id DESC
    LIMIT :window
) looked;

-- _window, 6 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT id AS id
    FROM item
    WHERE waiting_since IS NOT NULL AND id < :before
    ORDER BY id DESC
    LIMIT :window
) looked;

-- _window, 7 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, delivery = 'text', window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT item_id AS id
    FROM (
        SELECT item_id, state
        FROM delivery
        UNION ALL
        SELECT item_id, 'sending'
        FROM hand_over, unnest(item_ids) AS item_id
    ) delivery
    WHERE state = :delivery AND item_id < :before
    ORDER BY item_id DESC
    LIMIT :window
) looked;

-- _window, 8 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, key_hash = '\x00', window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT item_id AS id
    FROM item_key
    WHERE lane_id IN (
        SELECT id
        FROM lane
    ) AND key_hash = :key_hash AND item_id < :before
    ORDER BY item_id DESC
    LIMIT :window
) looked;

-- _window, 9 of 9: The next window back: along an index that knows what is wanted, where there is one.
-- before = 1, window = 1
SELECT min(id) AS oldest, count(*) AS n
FROM (
    SELECT item_id AS id
    FROM outcome
    WHERE problem IS NOT NULL AND item_id < :before
    ORDER BY item_id DESC
    LIMIT :window
) looked;

