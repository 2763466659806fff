-- What ledger/retention/keep.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- kept: What is kept of each partition that was looked at, the oldest first.
SELECT first_item, looked_at, waits_for, finished_before, copied_to, left_out, deliveries_dropped_at,
    bodies_dropped_at, outcomes_dropped_at, keys_looked_to, keys_dropped_at, carried
FROM kept
ORDER BY first_item;

