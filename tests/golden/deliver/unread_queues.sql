-- What ledger/deliver/unread_queues.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- note: What a look found, by target.
-- ids = '{1}', messages = '{1}', oldest = '{text}'
UPDATE target
SET oldest_since = CASE WHEN look.oldest IS NULL THEN NULL
    WHEN target.oldest = look.oldest THEN oldest_since ELSE now() END, oldest = look.oldest,
    messages = look.messages, looked_at = now()
FROM unnest(CAST(:ids AS int[]), CAST(:oldest AS text[]), CAST(:messages AS int[])) AS look(id, oldest,
    messages)
WHERE target.id = look.id;

-- targets: Queues to be looked at; those of brokers that don't answer are left alone, and webhooks have none.
-- most = 1
SELECT id, broker, queue
FROM target
WHERE NOT starts_with(target.broker, 'webhook:') AND NOT EXISTS (
    SELECT
    FROM obstacle
    WHERE obstacle.broker = target.broker AND obstacle.queue = ''
)
ORDER BY id DESC
LIMIT :most;

-- unread: Queues with messages, the longest unread first.
-- fresh = 1
SELECT broker, queue, messages, extract(epoch FROM now() - oldest_since)::float AS unread_s
FROM target
WHERE oldest_since IS NOT NULL AND looked_at > now() - make_interval(secs => :fresh)
ORDER BY oldest_since, id
LIMIT 100;

