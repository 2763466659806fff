-- What ledger/operators/later_versions.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- of_later_version: What of an action only a later version knows, which may be there already; None when all of it is known here.
-- id = 1
SELECT name, wish, extract(epoch FROM now() - stepped_at)::float AS stood_s
FROM action
WHERE id = :id;

