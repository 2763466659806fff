-- What ledger/roads/kept.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- fold: Add up the counts, to one row a lane. Returns how many rows there were.
WITH folded AS (
    DELETE FROM deadline_count
    RETURNING lane_id, met, missed, rescued, rescued_nano, doubles, doubles_nano
)
INSERT INTO deadline_count(lane_id, met, missed, rescued, rescued_nano, doubles, doubles_nano)
SELECT lane_id, sum(met)::bigint AS met, sum(missed)::bigint AS missed, sum(rescued)::bigint AS rescued,
    sum(rescued_nano)::bigint AS rescued_nano, sum(doubles)::bigint AS doubles,
    sum(doubles_nano)::bigint AS doubles_nano
FROM folded
GROUP BY lane_id;

-- kept: By lane.
SELECT lane_id, sum(met)::bigint AS met, sum(missed)::bigint AS missed, sum(rescued)::bigint AS rescued,
    sum(rescued_nano)::bigint AS rescued_nano, sum(doubles)::bigint AS doubles,
    sum(doubles_nano)::bigint AS doubles_nano
FROM deadline_count
GROUP BY lane_id;

-- late: What isn't final, and is wanted by now or within a minute. A thousand of each kind are looked at, at most.
-- most = 1, within_s = 1.0
WITH due AS (
    SELECT waiting.*
    FROM lane
    CROSS JOIN headers
    CROSS JOIN LATERAL (
        SELECT item.lane_id, deadline, 'waiting for a batch' AS place
        FROM item
        WHERE item.lane_id = lane.id AND item.headers_id = headers.id AND waiting_since IS NOT NULL
            AND direct_at IS NULL AND deadline < now() + make_interval(secs => :within_s)
        ORDER BY deadline
        LIMIT :most
    ) waiting
    UNION ALL (
        SELECT lane_id, deadline, 'waiting for real time'
        FROM item
        WHERE direct_at IS NOT NULL AND held_by IS NULL AND waiting_since IS NOT NULL
            AND deadline < now() + make_interval(secs => :within_s)
        LIMIT :most
    )
    UNION ALL
    SELECT running.*
    FROM batch
    CROSS JOIN LATERAL (
        SELECT item.lane_id, deadline, 'in a batch'
        FROM item
        WHERE item.batch_id = batch.id AND deadline < now() + make_interval(secs => :within_s)
            AND item.state = 'batched'
        ORDER BY deadline
        LIMIT :most
    ) running
    WHERE batch.look_at IS NOT NULL
)
SELECT lane.name AS lane, count(*) AS items, extract(epoch FROM now() - min(due.deadline))::float AS first_s,
    place AS "where"
FROM due
JOIN lane ON lane.id = due.lane_id
GROUP BY lane.name, place
ORDER BY lane.name, place;

-- limited: What waits for the rate limit now, and since when again and again; the longest first.
-- most = 1
SELECT workspace, model.name AS model, extract(epoch FROM now() - since)::float AS since_s, why, (
    SELECT count(*)
    FROM lane
    CROSS JOIN headers
    CROSS JOIN LATERAL (
        SELECT direct_at
        FROM item
        WHERE item.lane_id = lane.id AND item.headers_id = headers.id
            AND item.model_id = direct_pause.model_id AND direct_at IS NOT NULL AND held_by IS NULL
        LIMIT :most
    ) waiting
    WHERE headers.workspace = direct_pause.workspace AND direct_at <= now()
) AS items
FROM direct_pause
JOIN model ON model.id = direct_pause.model_id
WHERE not_before > now()
ORDER BY since;

-- note_doubles: Second answers came. Returns how many of them are of items that the other road had answered: rescued ones.
-- ids = '{1}', nanos = '{1}', via = 'text'
INSERT INTO deadline_count(lane_id, doubles, doubles_nano)
SELECT item.lane_id, count(*), sum(told.nano)
FROM unnest(CAST(:ids AS bigint[]), CAST(:nanos AS bigint[])) AS told(id, nano)
JOIN item ON item.id = told.id
JOIN whole_outcome AS outcome ON outcome.item_id = told.id
WHERE outcome.via <> :via
GROUP BY item.lane_id
RETURNING doubles;

-- note_settled: Items with deadlines are final, and their outcomes are written. costs: what each was billed.
-- direct = true, ids = '{1}', nanos = '{1}'
INSERT INTO deadline_count(lane_id, met, missed, rescued, rescued_nano)
SELECT lane_id, count(*) FILTER (WHERE state = 'succeeded' AND deadline >= now()),
    count(*) FILTER (WHERE deadline < now()), count(*) FILTER (WHERE :direct AND batch_id IS NOT NULL),
    coalesce(sum(told.nano) FILTER (WHERE :direct AND batch_id IS NOT NULL), 0)
FROM unnest(CAST(:ids AS bigint[]), CAST(:nanos AS bigint[])) AS told(id, nano)
JOIN item ON item.id = told.id
WHERE deadline IS NOT NULL AND (state = 'succeeded' OR deadline < now())
GROUP BY lane_id;

