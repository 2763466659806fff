-- What ledger/deliver/obstacles.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _obstacles, 1 of 2
SELECT broker, queue, since, extract(epoch FROM now() - since)::float AS lasted_s, failures, why,
    extract(epoch FROM not_before - now())::float AS paused_for_s
FROM obstacle
WHERE queue <> ''
ORDER BY since, broker, queue;

-- _obstacles, 2 of 2
SELECT broker, queue, since, extract(epoch FROM now() - since)::float AS lasted_s, failures, why,
    extract(epoch FROM not_before - now())::float AS paused_for_s
FROM obstacle
WHERE queue = ''
ORDER BY since, broker, queue;

-- away: A broker doesn't answer: nothing is tried on it for a while, which grows to a minute.
-- broker = 'text', longest = 1, why = 'text'
INSERT INTO obstacle(broker, queue, why, not_before) VALUES (:broker, '', :why, now() + interval '1 second')
ON CONFLICT (broker, queue) DO UPDATE SET why = excluded.why, seen_at = now(),
    failures = obstacle.failures + 1, not_before = now() + make_interval(secs => least(:longest,
    2.0 ^ least(obstacle.failures, 10)));

-- forget: Obstacles that nothing waits for any more; nobody would ever find out that they are gone.
DELETE FROM obstacle
WHERE NOT EXISTS (
    SELECT
    FROM delivery
    JOIN target ON target.id = delivery.target_id
    WHERE delivery.state = 'due' AND target.broker = obstacle.broker AND obstacle.queue IN ('', target.queue)
);

-- full, 1 of 2: A broker answers, and has no room in a queue. True when that is news.
-- broker = 'text'
DELETE FROM obstacle
WHERE broker = :broker AND queue = '';

-- full, 2 of 2: A broker answers, and has no room in a queue. True when that is news.
-- broker = 'text', queue = 'text', why = 'text'
INSERT INTO obstacle(broker, queue, why) VALUES (:broker, :queue, :why)
ON CONFLICT (broker, queue) DO UPDATE SET why = excluded.why, seen_at = now(), not_before = now(),
    failures = obstacle.failures + 1
RETURNING failures;

-- give_up, 1 of 2: Give up what has been due, behind an obstacle that has lasted, for longer than its lane is patient.
-- brokers = '{}', fresh = 1, lanes = '{text}', limit = 1, of_brokers = '{}', of_others_s = 1.0, patience = '{1.0}', shortest = 1.0
SELECT delivery.item_id, obstacle.why
FROM obstacle
JOIN target ON target.broker = obstacle.broker AND obstacle.queue IN ('', target.queue)
JOIN delivery ON delivery.target_id = target.id
JOIN lane ON lane.id = delivery.lane_id
LEFT JOIN unnest(CAST(:lanes AS text[]), CAST(:patience AS float[])) AS rule(lane,
    patience_s) ON rule.lane = lane.name
LEFT JOIN unnest(CAST(:brokers AS text[]), CAST(:of_brokers AS float[])) AS place(broker,
    patience_s) ON place.broker = target.broker
WHERE delivery.state IN ('due') AND obstacle.seen_at > now() - make_interval(secs => :fresh)
    AND obstacle.since < now() - make_interval(secs => :shortest)
    AND delivery.due_at < now() - make_interval(secs => :shortest) AND greatest(obstacle.since,
    delivery.due_at) < now() - make_interval(secs => coalesce(place.patience_s, rule.patience_s,
    :of_others_s))
LIMIT :limit
FOR UPDATE OF delivery SKIP LOCKED;

-- give_up, 2 of 2: Give up what has been due, behind an obstacle that has lasted, for longer than its lane is patient.
-- ids = '{}', whys = '{}'
UPDATE delivery
SET state = 'dead', error = 'given up after waiting for too long: ' || old.why
FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[])) AS old(item_id, why)
WHERE delivery.item_id = old.item_id AND delivery.state IN ('due');

-- look_again: Let a broker be tried at once, whatever pause it is in. False when nothing stood in its way.
-- broker = 'text'
UPDATE obstacle
SET not_before = now()
WHERE broker = :broker AND queue = '';

-- overcome: Something was taken there.
-- broker = 'text', queue = 'text'
DELETE FROM obstacle
WHERE broker = :broker AND queue IN ('', :queue);

-- pause: It is away, and has said for how long: nothing is tried there before.
-- broker = 'text', pause_s = 1, why = 'text'
INSERT INTO obstacle(broker, queue, why, not_before) VALUES (:broker, '', :why,
    now() + make_interval(secs => :pause_s))
ON CONFLICT (broker, queue) DO UPDATE SET why = excluded.why, seen_at = now(),
    failures = obstacle.failures + 1, not_before = excluded.not_before;

-- take_turns: Brokers that are to be looked after again, by this process: one that is frozen keeps only one waiting.
-- of_webhooks = true, turn = 1
UPDATE obstacle
SET not_before = now() + make_interval(secs => :turn)
WHERE queue = '' AND not_before <= now() AND starts_with(broker, 'webhook:') = :of_webhooks
RETURNING broker;

