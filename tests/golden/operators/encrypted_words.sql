-- What ledger/operators/encrypted_words.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _rows, 1 of 6
-- after = 1, limit = 1
SELECT own.id AS number, lane.name AS of, '' AS bound, own.error AS text
FROM submission own
JOIN batch ON batch.id = own.batch_id
JOIN lane ON lane.id = batch.lane_id
WHERE own.id > :after AND own.error IS NOT NULL
ORDER BY own.id FETCH FIRST :limit ROWS
WITH TIES;

-- _rows, 2 of 6
-- after = 1, limit = 1
SELECT own.id AS number, lane.name AS of, '' AS bound, own.reason AS text
FROM batch own
JOIN lane ON lane.id = own.lane_id
WHERE own.id > :after AND own.reason IS NOT NULL
ORDER BY own.id FETCH FIRST :limit ROWS
WITH TIES;

-- _rows, 3 of 6
-- after = 1, limit = 1
SELECT own.id AS number, lane.name AS of, own.item_id::text AS bound, own.why AS text
FROM maybe_billed own
JOIN lane ON lane.id = own.lane_id
WHERE own.id > :after AND own.why IS NOT NULL
ORDER BY own.id FETCH FIRST :limit ROWS
WITH TIES;

-- _rows, 4 of 6
-- after = 1, limit = 1
SELECT own.run_id AS number, declaration AS of, '' AS bound, own.before AS text
FROM catalog_report own
JOIN catalog_run ON catalog_run.id = own.run_id
WHERE own.run_id > :after AND own.before IS NOT NULL
ORDER BY own.run_id FETCH FIRST :limit ROWS
WITH TIES;

-- _rows, 5 of 6
-- after = 1, limit = 1
SELECT own.run_id AS number, declaration AS of, '' AS bound, own.document AS text
FROM catalog_report own
JOIN catalog_run ON catalog_run.id = own.run_id
WHERE own.run_id > :after AND own.document IS NOT NULL
ORDER BY own.run_id FETCH FIRST :limit ROWS
WITH TIES;

-- _rows, 6 of 6
-- after = 1, limit = 1
SELECT own.run_id AS number, declaration AS of, encode(own.entry, 'hex') AS bound, own.detail AS text
FROM catalog_unsent own
JOIN catalog_run ON catalog_run.id = own.run_id
WHERE own.run_id > :after AND own.detail IS NOT NULL
ORDER BY own.run_id FETCH FIRST :limit ROWS
WITH TIES;

-- step: Write the next texts as their lanes have it now. Raises NoKey.
-- anew = 'text', bound = 'text', id = 1, old = 'text'
UPDATE batch own
SET reason = :anew
WHERE own.id = :id AND '' = :bound AND own.reason = :old;

