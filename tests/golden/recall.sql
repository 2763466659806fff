-- What ledger/recall.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- exclusively: Wait for those that are accepting: what they did is seen then, and those who come later see what is recalled.
LOCK TABLE recall IN ACCESS EXCLUSIVE MODE;

-- forget: Those whose items never came: their messages were lost.
-- days = 1
DELETE FROM recall
WHERE at < now() - make_interval(days => :days);

-- note: The item of this receipt is canceled as soon as it comes.
-- receipt = '00000000-0000-0000-0000-000000000000'
INSERT INTO recall(receipt) VALUES (:receipt)
ON CONFLICT DO NOTHING;

-- take, 1 of 2: Those of the receipts that were recalled; each is told once.
-- receipts = '{text}'
DELETE FROM recall
WHERE receipt = ANY(CAST(:receipts AS uuid[]))
RETURNING receipt;

-- take, 2 of 2: Those of the receipts that were recalled; each is told once.
SELECT EXISTS (
    SELECT
    FROM recall
);

