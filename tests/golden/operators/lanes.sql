-- What ledger/operators/lanes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- drain, 1 of 2: What waits in it goes at once, whatever its thresholds and hours say; then it is paused.
-- id = 1
SELECT coalesce(sum(n), 0)::bigint
FROM tally
WHERE noun = 'item' AND state = 'waiting' AND lane_id = :id;

-- drain, 2 of 2: What waits in it goes at once, whatever its thresholds and hours say; then it is paused.
-- by = 'text', id = 1
UPDATE lane
SET drain_until = (
    SELECT last_value
    FROM item_id
), drained_by = :by
WHERE id = :id AND paused_at IS NULL;

-- end_drains: Lanes that are drained are paused, once what was to go has its outcome, or is held. Returns their names.
UPDATE lane
SET paused_at = now(), paused_reason = 'drained: what came later waits, and what is held',
    paused_by = drained_by, drain_until = NULL, drained_by = NULL
WHERE drain_until IS NOT NULL AND NOT EXISTS (
    SELECT
    FROM item
    WHERE lane_id = lane.id AND waiting_since IS NOT NULL AND item.id <= lane.drain_until
) AND NOT EXISTS (
    SELECT
    FROM batch
    JOIN item ON item.batch_id = batch.id
    WHERE batch.lane_id = lane.id AND batch.state IN ('packed', 'submitting', 'unclear', 'open', 'canceling',
        'ended', 'incomplete', 'rejected') AND item.id <= lane.drain_until
) AND NOT EXISTS (
    SELECT
    FROM direct_call
    JOIN item ON item.id = direct_call.item_id
    WHERE item.lane_id = lane.id AND item.id <= lane.drain_until
)
RETURNING name;

-- pause: Pack and submit nothing of this lane. Returns False when it was paused already.
-- by = null, id = 1, reason = 'text'
UPDATE lane
SET paused_at = now(), paused_reason = :reason, paused_by = :by, drain_until = NULL, drained_by = NULL
WHERE id = :id AND paused_at IS NULL;

-- resume, 1 of 2: Go on with it. Returns how many of its rejected batches are tried whole again; None when it wasn't paused.
-- id = 1
UPDATE batch
SET state = 'packed', changed_at = now(), not_before = NULL
WHERE lane_id = :id AND state IN ('rejected') AND NOT (EXISTS (
    SELECT
    FROM submission
    WHERE submission.batch_id = batch.id AND (submission.state IN ('claimed', 'sending', 'unclear',
        'open') OR submission.state IN ('lost', 'void') AND submission.api_id IS NOT NULL)
)
-- few are parts, and only for these the larger ones are looked for
OR batch.parent_id IS NOT NULL AND EXISTS (
    WITH RECURSIVE whole(id) AS (
        SELECT batch.parent_id
        UNION ALL
        SELECT part.parent_id
        FROM whole
        JOIN batch part ON part.id = whole.id
        WHERE part.parent_id IS NOT NULL
    )
    SELECT
    FROM whole
    JOIN submission ON submission.batch_id = whole.id
    WHERE (submission.state IN ('claimed', 'sending', 'unclear', 'open') OR submission.state IN ('lost',
        'void') AND submission.api_id IS NOT NULL)
));

-- resume, 2 of 2: Go on with it. Returns how many of its rejected batches are tried whole again; None when it wasn't paused.
-- id = 1
UPDATE lane
SET paused_at = NULL, paused_reason = NULL, paused_by = NULL
WHERE id = :id AND paused_at IS NOT NULL;

-- states: Every lane that ever had an item, by name.
SELECT name, paused_at, paused_by, paused_reason, drained_by, coalesce(counted.n, 0)::bigint AS waiting
FROM lane
LEFT JOIN (
    -- one pass over the tally, and not one a lane
    SELECT lane_id, sum(n) AS n
    FROM tally
    WHERE noun = 'item' AND state = 'waiting'
    GROUP BY lane_id
) counted ON counted.lane_id = lane.id
ORDER BY name;

