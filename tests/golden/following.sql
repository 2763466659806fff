-- What ledger/following.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- answer: Items whose leaders are final end as those did. Returns how many deliveries are due now.
SELECT EXISTS (
    SELECT
    FROM follower
) AS found;

-- send_again: Outcomes that were delivered, or given up, are due again with the same delivery id. Returns how many.
-- ids = '{}'
UPDATE delivery
SET state = 'due', generation = generation + 1, tries = 0, error = NULL, due_at = now()
WHERE item_id = ANY(:ids) AND state IN ('dead', 'delivered');

