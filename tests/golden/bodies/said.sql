-- What ledger/bodies/said.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- key_of_batch: The key for what is said of a batch; None: its lane doesn't encrypt. Raises NoKey.
-- id = 1
SELECT lane.name
FROM batch
JOIN lane ON lane.id = lane_id
WHERE batch.id = :id;

