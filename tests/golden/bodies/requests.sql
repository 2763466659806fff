-- What ledger/bodies/requests.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _in_groups: Those of the items whose requests lie in groups, group by group.
-- ids = '{}'
SELECT item_id, params, body_group, body_place
FROM request
WHERE item_id = ANY(:ids) AND params IS NULL
ORDER BY body_group, item_id;

-- forget: What these items ask goes out of groups; their rows are the caller's. Another try keeps what it asks.
-- ids = '{1}'
WITH RECURSIVE same(id) AS (
    SELECT unnest(CAST(:ids AS bigint[]))
    UNION
    SELECT other.id
    FROM same
    CROSS JOIN LATERAL (
        SELECT of_item_id AS id
        FROM redo
        WHERE redo.item_id = same.id
        UNION ALL
        SELECT item_id
        FROM redo
        WHERE redo.of_item_id = same.id
    ) other
)
SELECT id
FROM same
WHERE NOT id = ANY(:ids);

-- give_own: Write what these items ask into their own rows: their groups may be dropped. Returns those that can't be read.
-- id = 1, text = 'text'
UPDATE request
SET params = :text, body_group = NULL, body_place = NULL
WHERE item_id = :id AND params IS NULL;

-- hold: Waiting items whose requests can't be read are held, each with the reason. Returns how many.
-- ids = '{1}', no_budget = 1, whys = '{text}'
UPDATE item
SET state = 'held', held_since = waiting_since, waiting_since = NULL, held_by = :no_budget,
    held_reason = 'its request can''t be read: ' || damaged.why
FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS damaged(id, why)
WHERE item.id = damaged.id AND item.state IN ('waiting');

-- read_requests: What these items ask. Each group is read once.
-- ids = '{1}'
SELECT item_id, params, body_group, body_place
FROM request
WHERE item_id = ANY(:ids);

-- unreadable: What is held because it can't be read, by lane and reason; of a hundred reasons.
-- limit = 1, no_budget = 1
SELECT lane.name AS lane, held_reason AS why, count(*) AS items
FROM item
JOIN lane ON lane.id = item.lane_id
WHERE held_by = :no_budget
GROUP BY lane.name, held_reason
ORDER BY lane.name, held_reason
LIMIT :limit;

