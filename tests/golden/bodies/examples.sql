-- What ledger/bodies/examples.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- key_of_run: The key for what is kept of a catalog's run; None: its lane doesn't encrypt. Raises NoKey.
-- id = 1
SELECT declaration
FROM catalog_run
WHERE id = :id;

