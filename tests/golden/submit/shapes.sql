-- What ledger/submit/shapes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- members: The items of a shape that are in a batch now.
-- batch_id = 1, shape_id = 1
SELECT id
FROM item
WHERE batch_id = :batch_id AND state = 'batched' AND shape_id = :shape_id
ORDER BY id;

-- passed: The API takes requests of these shapes: it isn't asked again.
-- ids = '{1}'
UPDATE shape
SET passed_at = now()
WHERE id = ANY(:ids);

-- to_be_asked: The shapes in a batch that haven't passed, those of the most items first.
-- batch_id = 1, limit = 1
SELECT unknown.shape_id, item.id AS item_id, prefix.id AS prefix_id, prefix.document AS prefix
FROM (
    SELECT shape_id, count(*) AS items, ARRAY[min(id), percentile_disc(0.5) WITHIN
    GROUP (ORDER BY id), max(id) ] AS samples
    FROM item
    WHERE batch_id = :batch_id AND state = 'batched'
    -- most of the time there is none, and then the items aren't read
    AND shape_id = ANY(ARRAY(
        SELECT id
        FROM shape
        WHERE passed_at IS NULL
    ))
    GROUP BY shape_id
    ORDER BY items DESC
    LIMIT :limit
) unknown
JOIN item ON item.id = ANY(samples)
LEFT JOIN prefix ON prefix.id = item.prefix_id
ORDER BY items DESC, unknown.shape_id, item.id;

-- unpassed: Those of them that haven't passed.
-- ids = '{1}'
SELECT id
FROM shape
WHERE id = ANY(:ids) AND passed_at IS NULL;

