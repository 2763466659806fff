-- What ledger/collect/asking_again.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- ask_again: Ask again for what has just failed by its answer; its outcome is written. Returns which.
-- ids = '{1}'
SELECT item.id, item.size, coalesce(redo.asked_again, 0) AS asked_again, coalesce(redo.escalated,
    false) AS escalated, item.model_id, request.model_why, headers.betas, item.headers_id, item.shape_id,
    item.prefix_id
FROM item
JOIN request ON request.item_id = item.id
JOIN headers ON headers.id = item.headers_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id = ANY(:ids) AND NOT item.cancel_wanted;

