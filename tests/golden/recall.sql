-- What ledger/recall.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- take: Those of the receipts that were recalled; each is told once.
SELECT EXISTS (
    SELECT
    FROM recall
) AS found;

