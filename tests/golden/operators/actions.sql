-- What ledger/operators/actions.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- abort: Do no further group of an action; what is done stays done. False when it is over, or there is no such action.
-- by = 'text', id = 1
UPDATE action
SET aborted_at = now(), aborted_by = :by, ended_at = now()
WHERE id = :id AND ended_at IS NULL;

-- action: One action; None when there is none of this number.
-- id = 1
SELECT id, name, actor, via, reason, wish, items, most_nano, done, began_at, stepped_at, aborted_at,
    aborted_by, ended_at, removed
FROM action
WHERE id = :id;

-- actions, 1 of 2: Actions, the newest first. before: an action's id; None: from the newest on.
-- actor = 'text', before = 1, limit = 1, name = 'text', named = 'text', since = '2026-11-29', until = '2026-11-29'
SELECT id, name, actor, via, reason, wish, items, most_nano, done, began_at, stepped_at, aborted_at,
    aborted_by, ended_at, removed
FROM action
WHERE (CAST(:before AS bigint) IS NULL OR id < :before) AND actor = :actor AND name = :name
    AND began_at >= :since AND began_at < :until AND jsonb_path_exists(CAST(wish AS jsonb),
    '$.** ? (@ == $text || @ == $number)', CAST(:named AS jsonb))
ORDER BY id DESC
LIMIT :limit;

-- actions, 2 of 2: Actions, the newest first. before: an action's id; None: from the newest on.
-- before = null, limit = 1
SELECT id, name, actor, via, reason, wish, items, most_nano, done, began_at, stepped_at, aborted_at,
    aborted_by, ended_at, removed
FROM action
WHERE (CAST(:before AS bigint) IS NULL OR id < :before) AND true
ORDER BY id DESC
LIMIT :limit;

-- begin, 1 of 2: An action about many items begins: `redo`, `cancel`, `replay` or `purge`.
-- actor = 'text', items = 1, most_nano = null, name = 'text', reason = null, via = 'text', wish = 'text'
INSERT INTO action(name, actor, via, reason, wish, items, most_nano, until_item) VALUES (:name, :actor, :via,
    :reason, :wish, :items, :most_nano, (
    SELECT last_value
    FROM item_id
))
ON CONFLICT (name, wish)
WHERE ended_at IS NULL DO NOTHING
RETURNING id;

-- begin, 2 of 2: An action about many items begins: `redo`, `cancel`, `replay` or `purge`.
-- name = 'text', wish = 'text'
SELECT id
FROM action
WHERE name = :name AND wish = :wish AND ended_at IS NULL;

-- note: Something was done at once, in this transaction: a lane paused, a body looked at.
-- actor = 'text', items = 1, most_nano = null, name = 'text', reason = null, via = 'text', wish = 'text'
INSERT INTO action(name, actor, via, reason, wish, items, done, most_nano, ended_at) VALUES (:name, :actor,
    :via, :reason, :wish, :items, :items, :most_nano, now());

-- standing_still: Actions that aren't over, and of which nobody took a step for so long: whoever began them may be dead.
-- for_s = 1.0
SELECT id
FROM action
WHERE ended_at IS NULL AND stepped_at < now() - make_interval(secs => :for_s)
ORDER BY id;

-- step, 1 of 2: Do one group of an action. None when it is over, or there is no such action.
-- id = 1
SELECT name, wish, after_item, until_item, done, aborted_at, removed
FROM action
WHERE id = :id AND ended_at IS NULL
FOR UPDATE;

-- step, 2 of 2: Do one group of an action. None when it is over, or there is no such action.
-- changed = 1, id = 1, last = 1, removed = null
UPDATE action
SET done = done + :changed, after_item = greatest(after_item, :last), stepped_at = now(), removed = :removed,
    ended_at = CASE WHEN :last = 0 THEN now() END
WHERE id = :id;

-- under_way: The action of this wish that isn't over; None when there is none.
-- name = 'text', wish = 'text'
SELECT id, name, actor, via, reason, wish, items, most_nano, done, began_at, stepped_at, aborted_at,
    aborted_by, ended_at, removed
FROM action
WHERE name = :name AND wish = :wish AND ended_at IS NULL;

