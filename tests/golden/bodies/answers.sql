-- What ledger/bodies/answers.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _lying: Those of the items, group by group.
-- ids = '{1}'
SELECT item_id, body_group AS "group", body_place AS place
FROM outcome
WHERE item_id = ANY(:ids) AND body_group IS NOT NULL
ORDER BY body_group, body_place;

-- give_own: Write the answers of items into their own rows: groups may be dropped. Returns groups that can't be read.
-- bodies = '{text}', ids = '{1}'
UPDATE outcome
SET message = coalesce(message, own.body), body_group = NULL, body_place = NULL
FROM unnest(CAST(:ids AS bigint[]), CAST(:bodies AS text[])) AS own(item_id, body)
WHERE outcome.item_id = own.item_id;

