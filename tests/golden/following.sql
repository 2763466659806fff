-- What ledger/following.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- answer: Items whose leaders are final end as those did. Returns how many deliveries are due now.
SELECT EXISTS (
    SELECT
    FROM follower
) AS found;

