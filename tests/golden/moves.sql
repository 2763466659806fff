-- What ledger/moves.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- move_batch, 1 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'packed', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('submitting');

-- move_batch, 2 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'packed', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('unclear');

-- move_batch, 3 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'rejected', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('submitting');

-- move_batch, 4 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'split', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('rejected');

-- move_batch, 5 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = null
UPDATE batch
SET state = 'submitting', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('packed');

-- move_batch, 6 of 6: Move a batch. False when it is no longer where the move begins.
-- id = 1, reason = 'text'
UPDATE batch
SET state = 'unclear', changed_at = now(), reason = :reason
WHERE id = :id AND state IN ('submitting');

-- move_submission, 1 of 4: Move a submission. False when it is no longer where the move begins.
-- error = 'text', id = 1
UPDATE submission
SET state = 'done', error = coalesce(:error, error)
WHERE id = :id AND state IN ('open', 'lost', 'void');

-- move_submission, 2 of 4: Move a submission. False when it is no longer where the move begins.
-- error = null, id = 1
UPDATE submission
SET state = 'open', error = coalesce(:error, error)
WHERE id = :id AND state IN ('claimed', 'sending', 'unclear', 'lost', 'void');

-- move_submission, 3 of 4: Move a submission. False when it is no longer where the move begins.
-- error = 'text', id = 1
UPDATE submission
SET state = 'unclear', error = coalesce(:error, error)
WHERE id = :id AND state IN ('claimed', 'sending');

-- move_submission, 4 of 4: Move a submission. False when it is no longer where the move begins.
-- error = 'text', id = 1
UPDATE submission
SET state = 'void', error = coalesce(:error, error)
WHERE id = :id AND state IN ('claimed', 'sending');

