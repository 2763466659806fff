-- What ledger/catalogs/published.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- page: The next rows of a run that have come back, and where the page after it begins.
-- value_1 = 'text', value_2 = 1, value_3 = 1, value_4 = 1
b"\n
SELECT id, key, trace_id, ok, problem, detail, retryable, message, body_group, body_place, model, cost_nano,
    \n finished_at\n
FROM (\n
-- what lies before a row in its page: nothing before the first, which always fits\n            SELECT *, sum(size) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before\n            FROM (\n                SELECT item.id, request.key, request.trace_id, ok, problem, detail, retryable, outcome.message,\n                       outcome.body_group, outcome.body_place, outcome.model, outcome.finished_at,\n                       outcome.cost_nano + CASE WHEN redo.item_id IS NULL THEN 0 ELSE redo.cost_before_nano END\n                       AS cost_nano,\n                       coalesce(outcome.body_size, octet_length(outcome.message), 0) AS size\n                FROM item JOIN request ON request.item_id = item.id JOIN outcome ON outcome.item_id = item.id\n                LEFT JOIN redo ON redo.item_id = item.id\n                WHERE item.run_id = (SELECT id FROM run WHERE name = :value_1) AND item.id > :value_2 AND item.state <> 'redone'\n                  AND outcome.problem IS NOT NULL\n                ORDER BY item.id LIMIT :value_3\n            ) AS each_row\n        ) AS measured\n        WHERE bytes_before IS NULL OR bytes_before < :value_4 ORDER BY id\n        ";

