-- What ledger/deliver/deliver.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _claimed: Locked deliveries of one partition's items are claimed, and read.
-- ids = '{1}', lease_s = 1
WITH claimed AS (
    UPDATE delivery
    SET state = 'sending', tries = tries + 1, due_at = now() + make_interval(secs => :lease_s)
    WHERE item_id = ANY(:ids)
    RETURNING item_id, tries, generation
)
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
    outcome.body_place, claimed.tries, claimed.generation, coalesce(request.callback, (
    SELECT document
    FROM callback
    WHERE callback.id = request.callback_id
)) AS callback
FROM claimed
JOIN item ON item.id = claimed.item_id
JOIN request ON request.item_id = item.id
LEFT JOIN whole_outcome AS outcome ON outcome.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
-- said of each table, since that isn't passed on: else every partition is planned for, and locked
WHERE item.id = ANY(:ids) AND request.item_id = ANY(:ids) AND outcome.item_id = ANY(:ids);

-- _lapsed: Deliveries whose lease is over, locked, the longest over first.
-- brokers = '{}', lanes = '{text}', limit = 1, max_tries = '{1}', max_tries_of_others = 1, of_brokers = '{}'
SELECT delivery.item_id, delivery.tries < coalesce(place.max_tries, rule.max_tries,
    :max_tries_of_others) AS again
FROM delivery
JOIN lane ON lane.id = delivery.lane_id
JOIN target ON target.id = delivery.target_id
LEFT JOIN unnest(CAST(:brokers AS text[]), CAST(:of_brokers AS integer[])) AS place(broker,
    max_tries) ON place.broker = target.broker
LEFT JOIN unnest(CAST(:lanes AS text[]), CAST(:max_tries AS integer[])) AS rule(lane,
    max_tries) ON rule.lane = lane.name
WHERE (state = 'sending' AND due_at <= now()) OR (state = 'awaiting_ack' AND due_at <= now())
ORDER BY delivery.due_at
LIMIT :limit
FOR UPDATE OF delivery SKIP LOCKED;

-- _wait_for_keys: They weren't tried: due after a pause, and nothing is counted. waiting: why, by item.
-- ids = '{1}', whys = '{text}'
UPDATE delivery
SET state = 'due', tries = tries - 1, error = own.why, due_at = now() + make_interval(secs => 30)
FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS own(item_id, why)
WHERE delivery.item_id = own.item_id AND delivery.state IN ('sending');

-- claim: Take due deliveries for one queue, oldest first. They are due again if this process dies.
-- limit = 1, target_id = 1
SELECT item_id, due_at, size
FROM delivery
WHERE state IN ('due') AND due_at <= now() AND target_id = :target_id
ORDER BY due_at
LIMIT :limit
FOR UPDATE SKIP LOCKED;

-- dead_letter: They never got through: dead, visible, and can be replayed.
-- ids = '{1}', why = 'text'
UPDATE delivery
SET state = 'dead', error = :why
WHERE item_id = ANY(:ids) AND state IN ('sending', 'awaiting_ack');

-- free_lapsed, 1 of 2: Deliveries whose deliverer died, or whose callback never answered: due again, or dead after so many tries.
-- ids = '{1}'
-- what was sent together had one lease: it keeps its end, by which a webhook's group is known
UPDATE delivery
SET state = 'due', error = CASE state
    WHEN 'sending' THEN 'its deliverer died before it knew whether the broker took it'
    ELSE 'its broker took it, and its callback never acknowledged it' END, due_at = CASE state
    WHEN 'sending' THEN due_at ELSE now() END
WHERE item_id = ANY(:ids) AND state IN ('sending', 'awaiting_ack');

-- free_lapsed, 2 of 2: Deliveries whose deliverer died, or whose callback never answered: due again, or dead after so many tries.
-- ids = '{}'
UPDATE delivery
SET state = 'dead', error = CASE state
    WHEN 'sending' THEN 'its deliverer died before it knew whether the broker took it'
    ELSE 'its broker took it, and its callback never acknowledged it' END
WHERE item_id = ANY(:ids) AND state IN ('sending', 'awaiting_ack');

-- release: They were not tried after all: due as before, and nothing is counted.
-- due_ats = '{2026-11-29}', ids = '{1}'
UPDATE delivery
SET state = 'due', tries = tries - 1, due_at = before.due_at
FROM unnest(CAST(:ids AS bigint[]), CAST(:due_ats AS timestamptz[])) AS before(item_id, due_at)
WHERE delivery.item_id = before.item_id AND delivery.state IN ('sending');

-- schedule_retry: They may not have got through: due again after a pause.
-- ids = '{1}', pause_s = 1, why = 'text'
UPDATE delivery
SET state = 'due', error = :why, due_at = now() + make_interval(secs => :pause_s)
WHERE item_id = ANY(:ids) AND state IN ('sending', 'awaiting_ack');

-- sent_by_others: Messages that other processes may be putting into that queue now, and bytes into that broker.
-- broker = 'text', mine = '{1}', queue = 'text'
SELECT coalesce(sum(n) FILTER (WHERE queue = :queue), 0)::bigint AS messages, coalesce(sum(size),
    0)::bigint AS bytes
FROM (
    SELECT target_id, 1 AS n, size
    FROM delivery
    WHERE state = 'sending' AND due_at > '-infinity' AND NOT item_id = ANY(:mine)
    UNION ALL
    -- a hand-over's number is its first item's
    SELECT target_id, items, size
    FROM hand_over
    WHERE NOT id = ANY(:mine)
) sending
JOIN target ON target.id = sending.target_id
WHERE broker = :broker;

-- taken: The broker took them, and nobody has to answer.
-- ids = '{1}'
UPDATE delivery
SET state = 'delivered', error = NULL
WHERE item_id = ANY(:ids) AND state IN ('sending');

-- taken_to_be_acknowledged: The broker took them; their callbacks have so long to answer. One that has answered already is delivered.
-- ids = '{1}', within_s = 1.0
UPDATE delivery
SET state = 'awaiting_ack', error = NULL, due_at = now() + make_interval(secs => :within_s)
WHERE item_id = ANY(:ids) AND state IN ('sending');

-- targets: Brokers and queues for which something is due now; of a broker that doesn't answer one process looks, if any.
-- mine = '{}'
SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
FROM target
LEFT JOIN LATERAL (
    SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before
    FROM obstacle
    WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
    GROUP BY broker
) obstacle ON true
WHERE EXISTS (
    SELECT
    FROM delivery
    WHERE state IN ('due') AND due_at <= now() AND delivery.target_id = target.id
) AND NOT starts_with(target.broker, 'webhook:') AND (
    (obstacle.not_before IS NULL OR obstacle.not_before <= now()) OR target.broker = ANY(:mine)
);

-- targets_in_the_clear: Queues in whose way nothing stands, by the ids of their targets; webhooks are none.
-- paced = '{}'
SELECT id, broker, queue
FROM target
WHERE NOT starts_with(target.broker, 'webhook:') AND NOT broker = ANY(:paced) AND NOT EXISTS (
    SELECT
    FROM obstacle
    WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
);

-- webhooks: The same of webhooks.
-- mine = '{}'
SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
FROM target
LEFT JOIN LATERAL (
    SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before
    FROM obstacle
    WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
    GROUP BY broker
) obstacle ON true
WHERE EXISTS (
    SELECT
    FROM delivery
    WHERE state IN ('due') AND due_at <= now() AND delivery.target_id = target.id
) AND starts_with(target.broker, 'webhook:') AND (
    (obstacle.not_before IS NULL OR obstacle.not_before <= now()) OR target.broker = ANY(:mine)
);

-- webhooks_are_due: Whether something is due for a webhook that isn't in a pause.
SELECT EXISTS (
    SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
    FROM target
    LEFT JOIN LATERAL (
        SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before
        FROM obstacle
        WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
        GROUP BY broker
    ) obstacle ON true
    WHERE EXISTS (
        SELECT
        FROM delivery
        WHERE state IN ('due') AND due_at <= now() AND delivery.target_id = target.id
    ) AND starts_with(target.broker, 'webhook:')
        AND (obstacle.not_before IS NULL OR obstacle.not_before <= now())
);

