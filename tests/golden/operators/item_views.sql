-- What ledger/operators/item_views.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

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
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
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
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
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
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
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

