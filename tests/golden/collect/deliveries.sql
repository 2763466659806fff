-- What ledger/collect/deliveries.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- write, 1 of 2: A row each: due now, or being sent already.
COPY delivery(item_id, lane_id, target_id, size, state, due_at, tries)
FROM STDIN;

-- write, 2 of 2: A row each: due now, or being sent already.
-- lease_s = 1
SELECT now()::text AS now, (now() + make_interval(secs => :lease_s))::text AS lapses;

