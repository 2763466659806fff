-- What ledger/deliver/unread_queues.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- unread: Queues with messages, the longest unread first.
-- fresh = 1
SELECT broker, queue, messages, extract(epoch FROM now() - oldest_since)::float AS unread_s
FROM target
WHERE oldest_since IS NOT NULL AND looked_at > now() - make_interval(secs => :fresh)
ORDER BY oldest_since, id
LIMIT 100;

