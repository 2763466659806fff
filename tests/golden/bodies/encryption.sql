-- What ledger/bodies/encryption.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- writing_keys: The same by items, of those whose lanes encrypt. Raises NoKey.
-- ids = '{1}'
SELECT item.id, lane.name
FROM item
JOIN lane ON lane.id = item.lane_id
WHERE item.id = ANY(:ids);

