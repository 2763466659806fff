-- What ledger/deliver/pace.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- allowance: How many may be delivered there now. Until this transaction ends nobody else is told another number.
-- burst_s = 1.0, per_second = 1.0, target_id = 1
SELECT least(extract(epoch FROM clock_timestamp() - coalesce(next_at, '2000-01-01Z')),
    :burst_s)::float * :per_second
FROM target
WHERE id = :target_id
FOR UPDATE;

-- spend: So many are claimed, in the transaction that asked for the allowance.
-- burst_s = 1.0, number = 1.0, per_second = 1.0, target_id = 1
UPDATE target
SET next_at = greatest(next_at,
    clock_timestamp() - make_interval(secs => :burst_s)) + make_interval(secs => :number / :per_second)
WHERE id = :target_id;

