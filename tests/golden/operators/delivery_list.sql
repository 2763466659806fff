-- What ledger/operators/delivery_list.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- dead: The newest dead deliveries by target and error, the most frequent first.
-- most = 1
SELECT lane.name AS lane, target.broker, target.queue, coalesce(left(newest.error, 400), '') AS error,
    count(*) AS n, max(newest.item_id) AS newest_item_id
FROM (
    SELECT item_id, lane_id, target_id, error
    FROM delivery
    WHERE state = 'dead'
    ORDER BY item_id DESC
    LIMIT :most
) newest
JOIN lane ON lane.id = newest.lane_id
JOIN target ON target.id = newest.target_id
GROUP BY 1, 2, 3, 4
ORDER BY n DESC, newest_item_id DESC;

-- targets: Every queue that outcomes ever went to, those with something due first; at most 200.
-- most = 1
SELECT target.broker, target.queue, (
    SELECT count(*)
    FROM (
        SELECT
        FROM delivery
        WHERE target_id = target.id AND state = 'due'
        LIMIT :most
    ) counted
) AS due, coalesce(moving.sending, 0) AS sending, coalesce(moving.awaiting_ack, 0) AS awaiting_ack, (
    SELECT due_at
    FROM delivery
    WHERE target_id = target.id AND state = 'due'
    ORDER BY due_at
    LIMIT 1
) AS oldest_due_at, target.messages, target.looked_at, target.oldest_since, obstacle.why AS obstacle,
    obstacle.since AS obstacle_since
FROM (
    SELECT *
    FROM target
    ORDER BY id DESC
    LIMIT 200
) target
LEFT JOIN (
    SELECT target_id, sum(n) FILTER (WHERE state = 'sending') AS sending,
        sum(n) FILTER (WHERE state = 'awaiting_ack') AS awaiting_ack
    FROM (
        (
            SELECT target_id, state, 1 AS n
            FROM delivery
            WHERE state = 'sending' AND due_at > '-infinity'
            LIMIT :most
        )
        UNION ALL
        SELECT target_id, 'sending', items
        FROM hand_over
        UNION ALL (
            SELECT target_id, state, 1
            FROM delivery
            WHERE state = 'awaiting_ack'
            LIMIT :most
        )
    ) under_way
    GROUP BY target_id
) moving ON moving.target_id = target.id
LEFT JOIN LATERAL (
    SELECT why, since
    FROM obstacle
    WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
    ORDER BY since
    LIMIT 1
) obstacle ON true
ORDER BY due DESC, target.broker, target.queue;

