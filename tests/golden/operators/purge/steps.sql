-- What ledger/operators/purge/steps.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- note_tidied: The prefixes of a purge are gone from Redis, too.
-- id = 1
UPDATE action
SET removed = (CAST(removed AS jsonb) - 'prefix_hashes')::text
WHERE id = :id;

-- prepare, 1 of 2: Before the first group: keys that are named elsewhere are forgotten, and the purge is about all items up to now.
-- id = 1
SELECT wish
FROM action
WHERE id = :id AND name = 'purge' AND removed IS NULL AND ended_at IS NULL
FOR UPDATE;

-- prepare, 2 of 2: Before the first group: keys that are named elsewhere are forgotten, and the purge is about all items up to now.
-- id = 1, removed = 'text'
UPDATE action
SET removed = :removed, until_item = (
    SELECT last_value
    FROM item_id
)
WHERE id = :id;

-- untidy: Purges that ended so long ago and whose prefixes may still lie in Redis: whoever ended them may be dead.
-- for_s = 1
SELECT id
FROM action
WHERE name = 'purge' AND removed LIKE '%"prefix_hashes"%' AND ended_at < now() - make_interval(secs => :for_s)
ORDER BY id;

