-- What ledger/partitions.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- give_up_copies, 1 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
DROP TABLE outcome_copy_0;

-- give_up_copies, 2 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
DROP TABLE request_copy_0;

-- give_up_copies, 3 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
SELECT first_item
FROM kept
WHERE copied_to IS NOT NULL;

-- give_up_copies, 4 of 4: Copies of partitions that retention is making are dropped; it begins anew when it looks there again.
-- first = 1, why = 'text'
UPDATE kept
SET copied_to = NULL, left_out = '{}', waits_for = :why
WHERE first_item = :first;

-- make_partitions, 1 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE answer_group_from_0 PARTITION OF answer_group
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make_partitions, 2 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE delivery_from_0 PARTITION OF delivery
FOR VALUES
FROM (0) TO (0);

-- make_partitions, 3 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE double_from_0 PARTITION OF double
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make_partitions, 4 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE item_from_0 PARTITION OF item
FOR VALUES
FROM (0) TO (0)
WITH (fillfactor = 50);

-- make_partitions, 5 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE outcome_from_0 PARTITION OF outcome
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make_partitions, 6 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE request_from_0 PARTITION OF request
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make_partitions, 7 of 9: Make the partitions that the next items will need. Returns how many were made.
CREATE TABLE request_group_from_0 PARTITION OF request_group
FOR VALUES
FROM (0) TO (0)
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make_partitions, 8 of 9: Make the partitions that the next items will need. Returns how many were made.
-- t = 'text'
SELECT inhrelid::regclass::text AS name
FROM pg_inherits
WHERE inhparent = CAST(:t AS regclass);

-- make_partitions, 9 of 9: Make the partitions that the next items will need. Returns how many were made.
SELECT last_value
FROM item_id;

-- note_full: Note partitions that no new item comes into any more. Returns how many are new.
INSERT INTO kept(first_item, looked_at)
SELECT first, now()
FROM (
    SELECT substring(inhrelid::regclass::text FROM '_from_([0-9]+)$')::bigint AS first
    FROM pg_inherits
    WHERE inhparent = 'item'::regclass
) partition
WHERE first + 5000000 <= (
    SELECT last_value
    FROM item_id
)
ON CONFLICT DO NOTHING;

-- take_turns: Wait until nobody else changes the schema; until the transaction ends.
-- lock = 1
SELECT pg_advisory_xact_lock(:lock);

