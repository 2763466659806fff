-- What ledger/roads/running.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- at_risk, 1 of 2: When what is at risk must be sent in real time, the latest that keeps every deadline; those whose time has come.
-- ahead_s = 1, answer_s = 1, batches = '{1}', bytes_s = '{1.0}', max_tokens_s = '{1.0}', models = '{1}', most = '{1}', pools = '{text}', requests_s = '{1.0}', untils = '{1}'
WITH risk(batch_id, until_s, most_doubts) AS (
    SELECT *
    FROM unnest(CAST(:batches AS bigint[]), CAST(:untils AS float[]), CAST(:most AS integer[]))
), cost(model_id, pool, request_s, byte_s, max_token_s) AS (
    SELECT *
    FROM unnest(CAST(:models AS integer[]), CAST(:pools AS text[]), CAST(:requests_s AS float[]),
        CAST(:bytes_s AS float[]), CAST(:max_tokens_s AS float[]))
), late AS (
    SELECT item.id, item.batch_id, item.deadline, cost.pool, greatest(request_s, item.size * byte_s,
        item.max_tokens * max_token_s) AS cost_s
    FROM risk
    JOIN item ON item.batch_id = risk.batch_id
    JOIN cost ON cost.model_id = item.model_id
    WHERE item.state = 'batched' AND item.deadline IS NOT NULL AND NOT item.cancel_wanted
        AND (item.give_up_at IS NULL OR item.give_up_at > now())
        AND item.deadline < now() + make_interval(secs => risk.until_s) AND (
        SELECT count(*)
        FROM maybe_billed
        WHERE maybe_billed.item_id = item.id
    ) <= risk.most_doubts
), queued AS (
    SELECT *, sum(cost_s) OVER (PARTITION BY pool ORDER BY deadline, id) AS until_s
    FROM late
), started AS (
    SELECT id, batch_id, deadline,
        min(deadline - make_interval(secs => until_s)) OVER (PARTITION BY pool ORDER BY deadline DESC,
        id DESC) + make_interval(secs => until_s - cost_s - :answer_s) AS start_at
    FROM queued
), told AS (
    SELECT id
    FROM started
    WHERE start_at <= now() + make_interval(secs => :ahead_s)
)
SELECT batch_id, count(*) AS items, count(told.id) AS due,
    extract(epoch FROM min(start_at) FILTER (WHERE start_at > now() + make_interval(secs => :ahead_s)) - now())::float AS next_s, min(deadline) AS first
FROM started
LEFT JOIN told USING (id)
GROUP BY batch_id;

-- at_risk, 2 of 2: When what is at risk must be sent in real time, the latest that keeps every deadline; those whose time has come.
-- ahead_s = 1, answer_s = 1, batches = '{1}', bytes_s = '{1.0}', max_tokens_s = '{1.0}', models = '{1}', most = '{1}', pools = '{text}', requests_s = '{1.0}', untils = '{1}'
WITH risk(batch_id, until_s, most_doubts) AS (
    SELECT *
    FROM unnest(CAST(:batches AS bigint[]), CAST(:untils AS float[]), CAST(:most AS integer[]))
), cost(model_id, pool, request_s, byte_s, max_token_s) AS (
    SELECT *
    FROM unnest(CAST(:models AS integer[]), CAST(:pools AS text[]), CAST(:requests_s AS float[]),
        CAST(:bytes_s AS float[]), CAST(:max_tokens_s AS float[]))
), late AS (
    SELECT item.id, item.batch_id, item.deadline, cost.pool, greatest(request_s, item.size * byte_s,
        item.max_tokens * max_token_s) AS cost_s
    FROM risk
    JOIN item ON item.batch_id = risk.batch_id
    JOIN cost ON cost.model_id = item.model_id
    WHERE item.state = 'batched' AND item.deadline IS NOT NULL AND NOT item.cancel_wanted
        AND (item.give_up_at IS NULL OR item.give_up_at > now())
        AND item.deadline < now() + make_interval(secs => risk.until_s) AND (
        SELECT count(*)
        FROM maybe_billed
        WHERE maybe_billed.item_id = item.id
    ) <= risk.most_doubts
), queued AS (
    SELECT *, sum(cost_s) OVER (PARTITION BY pool ORDER BY deadline, id) AS until_s
    FROM late
), started AS (
    SELECT id, batch_id, deadline,
        min(deadline - make_interval(secs => until_s)) OVER (PARTITION BY pool ORDER BY deadline DESC,
        id DESC) + make_interval(secs => until_s - cost_s - :answer_s) AS start_at
    FROM queued
), told AS (
    UPDATE item
    SET direct_at = started.start_at
    FROM started
    WHERE started.start_at <= now() + make_interval(secs => :ahead_s) AND item.id = started.id
        AND item.state IN ('batched') AND item.direct_at IS NULL
    RETURNING item.id
)
SELECT batch_id, count(*) AS items, count(told.id) AS due,
    extract(epoch FROM min(start_at) FILTER (WHERE start_at > now() + make_interval(secs => :ahead_s)) - now())::float AS next_s, min(deadline) AS first
FROM started
LEFT JOIN told USING (id)
GROUP BY batch_id;

-- look_again: When a batch is looked at next.
-- id = 1, in_s = 1
UPDATE batch
SET look_at = now() + make_interval(secs => :in_s)
WHERE id = :id;

-- stop: A running batch is to be canceled at the API: the next poll does it. False when it isn't running any more.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'canceling', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('open');

-- to_look_at, 1 of 2: Batches with deadlines that are to be looked at now, locked until the transaction ends.
-- limit = 1
SELECT batch.id AS batch_id, lane.name AS lane, headers.workspace, batch.state, batch.items, coalesce(
    (
        SELECT extract(epoch FROM now() - api_created_at)::float
        FROM submission
        WHERE submission.batch_id = batch.id AND submission.state = 'open'
        ORDER BY api_created_at
        LIMIT 1
    ), 0
) AS running_s, coalesce(
    (
        SELECT extract(epoch FROM item.deadline - now())::float
        FROM item
        WHERE item.batch_id = batch.id AND item.deadline IS NOT NULL
        ORDER BY item.deadline
        LIMIT 1
    ), 0
) AS within_s
FROM batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
WHERE look_at <= now() AND batch.state IN ('packed', 'submitting', 'unclear', 'open', 'canceling')
ORDER BY look_at
LIMIT :limit
FOR UPDATE OF batch SKIP LOCKED;

-- to_look_at, 2 of 2: Batches with deadlines that are to be looked at now, locked until the transaction ends.
UPDATE batch
SET look_at = NULL
WHERE look_at <= now() AND NOT (state IN ('packed', 'submitting', 'unclear', 'open', 'canceling'));

