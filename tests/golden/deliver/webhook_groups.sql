-- What ledger/deliver/webhook_groups.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- claim: Take groups that are full, or have waited long enough, or are sent again; the oldest first.
-- limit = 1, target_id = 1
SELECT item_id, due_at, size, tries, extract(epoch FROM now() - due_at)::float AS waited_s
FROM delivery
WHERE state IN ('due') AND due_at <= now() AND target_id = :target_id
ORDER BY due_at
LIMIT :limit
FOR UPDATE SKIP LOCKED;

