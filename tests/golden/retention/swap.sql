-- What ledger/retention/swap.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _is_there
-- name = 'text'
SELECT to_regclass(:name) IS NOT NULL;

-- lock, 1 of 3: Nobody reads or writes the tables until the transaction ends. Returns the items to be carried, as of now.
LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE;

-- lock, 2 of 3: Nobody reads or writes the tables until the transaction ends. Returns the items to be carried, as of now.
LOCK TABLE item, request, outcome, double, delivery, request_group, answer_group IN ACCESS EXCLUSIVE MODE;

-- lock, 3 of 3: Nobody reads or writes the tables until the transaction ends. Returns the items to be carried, as of now.
LOCK TABLE request, outcome, request_group, answer_group IN ACCESS EXCLUSIVE MODE;

-- make, 1 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE delivery_carried_0(LIKE delivery_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT delivery_carried_0_bounds CHECK (item_id >= 0 AND item_id < 5000000));

-- make, 2 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE double_carried_0(LIKE double_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT double_carried_0_bounds CHECK (item_id >= 0 AND item_id < 5000000))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make, 3 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE item_carried_0(LIKE item_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT item_carried_0_bounds CHECK (id >= 0 AND id < 5000000))
WITH (fillfactor = 50);

-- make, 4 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE outcome_carried_0(LIKE outcome_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT outcome_carried_0_bounds CHECK (item_id >= 0 AND item_id < 5000000))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make, 5 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE outcome_copy_0(LIKE outcome_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT outcome_copy_0_bounds CHECK (item_id >= 0 AND item_id < 5000000))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make, 6 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE request_carried_0(LIKE request_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT request_carried_0_bounds CHECK (item_id >= 0 AND item_id < 5000000))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- make, 7 of 7: A table like a partition, columns in its order, that nobody sees yet. Its bounds are checked as it is filled.
CREATE TABLE request_copy_0(LIKE request_from_0 INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE, CONSTRAINT request_copy_0_bounds CHECK (item_id >= 0 AND item_id < 5000000))
WITH (autovacuum_vacuum_insert_threshold = -1);

-- put, 1 of 24: A table takes the place of a partition, which goes.
ALTER TABLE delivery ATTACH PARTITION delivery_from_0
FOR VALUES
FROM (0) TO (0);

-- put, 2 of 24: A table takes the place of a partition, which goes.
ALTER TABLE delivery_carried_0 RENAME TO delivery_from_0;

-- put, 3 of 24: A table takes the place of a partition, which goes.
ALTER TABLE delivery_from_0 DROP CONSTRAINT delivery_carried_0_bounds;

-- put, 4 of 24: A table takes the place of a partition, which goes.
ALTER TABLE double ATTACH PARTITION double_from_0
FOR VALUES
FROM (0) TO (0);

-- put, 5 of 24: A table takes the place of a partition, which goes.
ALTER TABLE double_carried_0 RENAME TO double_from_0;

-- put, 6 of 24: A table takes the place of a partition, which goes.
ALTER TABLE double_from_0 DROP CONSTRAINT double_carried_0_bounds;

-- put, 7 of 24: A table takes the place of a partition, which goes.
ALTER TABLE item ATTACH PARTITION item_from_0
FOR VALUES
FROM (0) TO (0);

-- put, 8 of 24: A table takes the place of a partition, which goes.
ALTER TABLE item_carried_0 RENAME TO item_from_0;

-- put, 9 of 24: A table takes the place of a partition, which goes.
ALTER TABLE item_from_0 DROP CONSTRAINT item_carried_0_bounds;

-- put, 10 of 24: A table takes the place of a partition, which goes.
ALTER TABLE outcome ATTACH PARTITION outcome_from_0
FOR VALUES
FROM (0) TO (0);

-- put, 11 of 24: A table takes the place of a partition, which goes.
ALTER TABLE outcome_carried_0 RENAME TO outcome_from_0;

-- put, 12 of 24: A table takes the place of a partition, which goes.
ALTER TABLE outcome_copy_0 RENAME TO outcome_from_0;

-- put, 13 of 24: A table takes the place of a partition, which goes.
ALTER TABLE outcome_from_0 DROP CONSTRAINT outcome_carried_0_bounds;

-- put, 14 of 24: A table takes the place of a partition, which goes.
ALTER TABLE outcome_from_0 DROP CONSTRAINT outcome_copy_0_bounds;

-- put, 15 of 24: A table takes the place of a partition, which goes.
ALTER TABLE request ATTACH PARTITION request_from_0
FOR VALUES
FROM (0) TO (0);

-- put, 16 of 24: A table takes the place of a partition, which goes.
ALTER TABLE request_carried_0 RENAME TO request_from_0;

-- put, 17 of 24: A table takes the place of a partition, which goes.
ALTER TABLE request_copy_0 RENAME TO request_from_0;

-- put, 18 of 24: A table takes the place of a partition, which goes.
ALTER TABLE request_from_0 DROP CONSTRAINT request_carried_0_bounds;

-- put, 19 of 24: A table takes the place of a partition, which goes.
ALTER TABLE request_from_0 DROP CONSTRAINT request_copy_0_bounds;

-- put, 20 of 24: A table takes the place of a partition, which goes.
DROP TABLE delivery_from_0;

-- put, 21 of 24: A table takes the place of a partition, which goes.
DROP TABLE double_from_0;

-- put, 22 of 24: A table takes the place of a partition, which goes.
DROP TABLE item_from_0;

-- put, 23 of 24: A table takes the place of a partition, which goes.
DROP TABLE outcome_from_0;

-- put, 24 of 24: A table takes the place of a partition, which goes.
DROP TABLE request_from_0;

-- replace, 1 of 5: A partition goes; one with the carried rows takes its place, if there are any.
-- carried = '{1}'
INSERT INTO delivery_carried_0
SELECT *
FROM delivery_from_0
WHERE item_id = ANY(:carried);

-- replace, 2 of 5: A partition goes; one with the carried rows takes its place, if there are any.
-- carried = '{1}'
INSERT INTO double_carried_0
SELECT *
FROM double_from_0
WHERE item_id = ANY(:carried);

-- replace, 3 of 5: A partition goes; one with the carried rows takes its place, if there are any.
-- carried = '{1}'
INSERT INTO item_carried_0
SELECT *
FROM item_from_0
WHERE id = ANY(:carried);

-- replace, 4 of 5: A partition goes; one with the carried rows takes its place, if there are any.
-- carried = '{1}'
INSERT INTO outcome_carried_0
SELECT *
FROM outcome_from_0
WHERE item_id = ANY(:carried);

-- replace, 5 of 5: A partition goes; one with the carried rows takes its place, if there are any.
-- carried = '{1}'
INSERT INTO request_carried_0
SELECT *
FROM request_from_0
WHERE item_id = ANY(:carried);

