-- What ledger/bodies/groups.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _fetch, 1 of 2
-- value_1 = '{1}'
SELECT id, packed
FROM answer_group
WHERE id = ANY(:value_1);

-- _fetch, 2 of 2
-- value_1 = '{1}'
SELECT id, packed
FROM request_group
WHERE id = ANY(:value_1);

-- are_begun: Whether bodies may be written in groups: no process of a version runs that can't read them. See `schema`.
SELECT bodies_in_groups
FROM deployment;

-- forget_places, 1 of 4: Bodies go out of their groups, which are written anew without them.
-- id = 1
SELECT items
FROM answer_group
WHERE id = :id
FOR UPDATE;

-- forget_places, 2 of 4: Bodies go out of their groups, which are written anew without them.
-- id = 1
SELECT items
FROM request_group
WHERE id = :id
FOR UPDATE;

-- forget_places, 3 of 4: Bodies go out of their groups, which are written anew without them.
-- id = 1, packed = '\x00'
UPDATE answer_group
SET packed = :packed
WHERE id = :id;

-- forget_places, 4 of 4: Bodies go out of their groups, which are written anew without them.
-- id = 1, packed = '\x00'
UPDATE request_group
SET packed = :packed
WHERE id = :id;

-- write_groups, 1 of 2: Write bodies of one lane in groups. Returns where each lies by its item.
COPY answer_group(id, items, packed)
FROM STDIN (FORMAT BINARY);

-- write_groups, 2 of 2: Write bodies of one lane in groups. Returns where each lies by its item.
COPY request_group(id, items, packed)
FROM STDIN (FORMAT BINARY);

