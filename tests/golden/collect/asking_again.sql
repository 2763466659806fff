-- What ledger/collect/asking_again.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- ask_again: Ask again for what has just failed because it isn't of its schema; its outcome is written. Returns which.
-- ids = '{1}'
SELECT item.id, item.size, request.params, coalesce(redo.asked_again, 0) AS asked_again
FROM item
JOIN request ON request.item_id = item.id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id = ANY(:ids) AND NOT item.cancel_wanted;

