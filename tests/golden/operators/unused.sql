-- What ledger/operators/unused.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- begin: Begin to look. What holds one of the prefixes at this moment has committed then, and is met.
SELECT last_value AS last, clock_timestamp() AS began
FROM item_id;

-- go_on: Look at the next items, in the order of their numbers: what is asked again is there before what it stands for.
-- after = 1, chain_ids = '{}', prefix_ids = '{1}', until = 1
SELECT DISTINCT prefix_id, CASE WHEN NOT purged THEN chain_id END AS chain_id
FROM item
WHERE id > :after AND id <= :until
    AND (prefix_id = ANY(CAST(:prefix_ids AS integer[])) OR chain_id = ANY(CAST(:chain_ids AS integer[])));

-- lock_prefixes: Whoever accepts holds what he goes on from until he has committed: wait for him, and let no other come.
-- ids = '{1}'
SELECT
FROM prefix
WHERE id = ANY(:ids)
ORDER BY id
FOR UPDATE;

