-- What ledger/roads/waiting.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- earliest: The earliest deadline of what waits for a batch in these lanes. One look into the index for each.
-- lanes = '{text}'
SELECT lane.id AS lane_id, waiting.headers_id, lane.name AS lane, first.deadline,
    extract(epoch FROM first.deadline - now())::float AS within_s
FROM lane
JOIN (
    SELECT lane_id, headers_id
    FROM tally
    WHERE noun = 'item' AND state = 'waiting'
    GROUP BY lane_id, headers_id
    HAVING sum(n) > 0
) waiting ON waiting.lane_id = lane.id
CROSS JOIN LATERAL (
    SELECT deadline
    FROM item
    WHERE item.lane_id = waiting.lane_id AND item.headers_id = waiting.headers_id
        AND item.waiting_since IS NOT NULL AND item.direct_at IS NULL AND item.deadline IS NOT NULL
    ORDER BY item.deadline
    LIMIT 1
) first
WHERE lane.name = ANY(:lanes) AND lane.paused_at IS NULL;

-- leave: Those of a lane and headers whose deadline is nearer than a batch needs go in real time. Returns how many.
-- headers_id = 1, lane_id = 1, limit = 1, most_doubts = 1, needs_s = 1
UPDATE item
SET direct_at = deadline - make_interval(secs => :needs_s)
WHERE item.waiting_since IS NOT NULL AND item.direct_at IS NULL AND id = ANY(ARRAY(
    SELECT id
    FROM item
    WHERE lane_id = :lane_id AND headers_id = :headers_id AND item.waiting_since IS NOT NULL
        AND item.direct_at IS NULL AND deadline IS NOT NULL
        AND deadline < now() + make_interval(secs => :needs_s) AND (
        SELECT count(*)
        FROM maybe_billed
        WHERE maybe_billed.item_id = item.id
    ) <= :most_doubts
    ORDER BY deadline
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
));

-- of_no_use: Items that weren't sent before their `give_up_at`, locked until the transaction ends; nobody is buying them.
-- limit = 1
SELECT id
FROM item
WHERE give_up_at <= now() AND (waiting_since IS NOT NULL OR held_by IS NOT NULL)
ORDER BY give_up_at
LIMIT :limit
FOR UPDATE SKIP LOCKED;

