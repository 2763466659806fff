-- What ledger/operators/lanes.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- pause: Pack and submit nothing of this lane. Returns False when it was paused already.
-- id = 1, reason = 'text'
UPDATE lane
SET paused_at = now(), paused_reason = :reason
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
SET paused_at = NULL, paused_reason = NULL
WHERE id = :id AND paused_at IS NOT NULL;

