-- What ledger/submit/rejected.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _share_out, 1 of 2: The items of a batch go into two others, in the order of their ids, half of the bytes into each.
-- parts = '{1}'
UPDATE batch
SET items = part.items, size = part.size
FROM (
    SELECT batch_id, count(*) AS items, sum(size) AS size
    FROM item
    WHERE batch_id = ANY(:parts)
    GROUP BY batch_id
) part
WHERE batch.id = part.batch_id;

-- _share_out, 2 of 2: The items of a batch go into two others, in the order of their ids, half of the bytes into each.
-- left = 1, parent_id = 1, right = 1
WITH half AS (
    SELECT id, sum(size) OVER (ORDER BY id) <= sum(size) OVER () / 2 OR row_number() OVER (ORDER BY id) = 1 AS first, row_number() OVER (ORDER BY id DESC) = 1 AS last
    FROM item
    WHERE batch_id = :parent_id AND state = 'batched'
)
UPDATE item
SET batch_id = CASE WHEN half.first AND NOT half.last THEN :left ELSE :right END
FROM half
WHERE item.id = half.id;

-- divide: Two batches, of half the bytes each, in place of a rejected one.
-- parent_id = 1
INSERT INTO batch(lane_id, headers_id, parent_id, state, items, size, has_schemas, has_prefixes)
SELECT lane_id, headers_id, id, 'packed', 0, 0, has_schemas, has_prefixes
FROM batch, generate_series(1, 2)
WHERE id = :parent_id
RETURNING id;

-- members: The items that are in a batch now.
-- id = 1
SELECT id
FROM item
WHERE batch_id = :id AND state = 'batched'
ORDER BY id;

-- take_rejected: The next rejected batch of which no submission lives, nor of one that it is a part of, locked (R7).
SELECT batch.id AS batch_id, lane_id, headers_id, reason,
-- too large is no fault of the request: smaller halves pass
batch.reason NOT LIKE '413%' AND EXISTS (
    SELECT
    FROM batch parent
    JOIN batch half ON half.parent_id IN (batch.parent_id, parent.parent_id)
    WHERE parent.id = batch.parent_id AND half.state IN ('rejected', 'split', 'failed')
        AND regexp_replace(half.reason, 'encrypted:.*|[0-9]+', '', 'g') = regexp_replace(batch.reason,
        'encrypted:.*|[0-9]+', '', 'g')
    HAVING count(*) = 4
) AS alike, (
    SELECT count(*)
    FROM item
    WHERE batch_id = batch.id AND state = 'batched'
) AS items
FROM batch
JOIN lane ON lane.id = batch.lane_id
WHERE batch.state IN ('rejected') AND lane.paused_at IS NULL AND NOT (EXISTS (
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
))
ORDER BY batch.id
LIMIT 1
FOR UPDATE OF batch SKIP LOCKED;

