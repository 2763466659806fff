-- What ledger/operators/purge/api_batches.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- deletable: Batches whose time has come, the first first: their results are recorded, or can't be had any more.
-- limit = 1
SELECT submission.id AS submission_id, api_id, headers.workspace
FROM submission
JOIN batch ON batch.id = submission.batch_id
JOIN headers ON headers.id = batch.headers_id
WHERE delete_at IS NOT NULL AND delete_at <= now() AND deleted_at IS NULL AND submission.state = 'done'
    AND api_id IS NOT NULL
ORDER BY delete_at, submission.id
LIMIT :limit;

-- note_deleted: The API has deleted it, or doesn't know it any more.
-- id = 1
UPDATE submission
SET deleted_at = now()
WHERE id = :id AND deleted_at IS NULL;

-- put_off: The API wouldn't delete it just now: it is asked again later.
-- id = 1, pause_s = 1.0
UPDATE submission
SET delete_at = now() + make_interval(secs => :pause_s)
WHERE id = :id;

-- schedule: Batches are to be deleted that were collected, and delivered, so long ago. Returns how many.
-- after = '{1.0}', lanes = '{text}', limit = 1
UPDATE submission
SET delete_at = now()
WHERE id IN (
    SELECT submission.id
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN lane ON lane.id = batch.lane_id
    JOIN unnest(CAST(:lanes AS text[]), CAST(:after AS float[])) AS rule(lane,
        after_s) ON rule.lane = lane.name
    WHERE submission.claimed_at > now() - interval '29 days' AND submission.state = 'done'
        AND api_id IS NOT NULL AND delete_at IS NULL AND deleted_at IS NULL AND batch.state = 'collected'
        AND submission.ended_at < now() - make_interval(secs => rule.after_s) AND NOT EXISTS (
        SELECT
        FROM item
        JOIN delivery ON delivery.item_id = item.id
        WHERE item.batch_id = batch.id AND delivery.state <> 'delivered'
    ) AND NOT EXISTS (
        SELECT
        FROM hand_over
        JOIN item ON item.id = ANY(hand_over.item_ids)
        WHERE item.batch_id = batch.id
    )
    ORDER BY submission.id
    LIMIT :limit
);

-- want_deleted: Batches of purged items are to be deleted at the API, once their results are recorded. Returns how many.
-- ids = '{1}', shared = true
UPDATE submission
SET delete_at = now()
WHERE api_id IS NOT NULL AND deleted_at IS NULL AND (delete_at IS NULL OR delete_at > now())
    AND (batch_id IN (
    SELECT batch_id
    FROM item
    WHERE item.id = ANY(:ids)
) AND (:shared OR NOT EXISTS (
    SELECT
    FROM item
    WHERE item.batch_id = submission.batch_id AND NOT item.purged
)) OR :shared AND batch_id IN (
    SELECT batch.id
    FROM (
        SELECT lane_id, headers_id, min(enqueued_at) AS first_at, max(coalesce(batch_id,
            9223372036854775807)) AS last
        FROM item
        JOIN request ON request.item_id = item.id
        WHERE item.id = ANY(:ids)
        GROUP BY lane_id, headers_id
    ) purged
    JOIN batch ON batch.lane_id = purged.lane_id AND batch.headers_id = purged.headers_id
        AND batch.id < purged.last AND batch.packed_at >= purged.first_at
        AND batch.packed_at > now() - interval '30 days'
    WHERE batch.items > (
        SELECT count(*)
        FROM item
        WHERE item.batch_id = batch.id
    )
));

