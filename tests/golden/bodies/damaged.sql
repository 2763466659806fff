-- What ledger/bodies/damaged.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- forget_damaged: Groups of these numbers are gone, the damaged ones with the others.
-- first = 1, kind = 'text', until = 1
DELETE FROM damaged_group
WHERE kind = :kind AND group_id >= :first AND group_id < :until;

-- look_again: Read them again, and forget those that can be read: somebody has restored them. Returns how many.
-- id = 1, kind = 'text'
DELETE FROM damaged_group
WHERE kind = :kind AND group_id = :id;

-- note, 1 of 2: Note groups that couldn't be read; who only reads leaves that to others.
-- ids = '{1}', kind = 'text', whys = '{text}'
INSERT INTO damaged_group(kind, group_id, why)
SELECT :kind, *
FROM unnest(CAST(:ids AS bigint[]), CAST(:whys AS text[]))
ON CONFLICT DO NOTHING;

-- note, 2 of 2: Note groups that couldn't be read; who only reads leaves that to others.
SELECT current_setting('transaction_read_only')::boolean;

-- noted: Groups that couldn't be read, the oldest first.
SELECT kind, group_id, at, why
FROM damaged_group
ORDER BY at, kind, group_id
LIMIT 100;

