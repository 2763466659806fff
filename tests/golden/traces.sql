-- What ledger/traces.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- of_batch: Spans of a batch's items, each once.
-- batch_id = 1, limit = 1
SELECT DISTINCT request.traceparent
FROM item
JOIN request ON request.item_id = item.id
WHERE item.batch_id = :batch_id AND request.traceparent IS NOT NULL
LIMIT :limit;

-- of_items: Those of the items that were enqueued within a span. submission_id: or the direct claim's.
-- ids = '{1}', submission_id = 1
SELECT item.id AS item_id, request.traceparent, request.tracestate, model.name AS model, item.max_tokens,
    coalesce(submission.let_go_at, submission.claimed_at, direct_claim.claimed_at,
    request.enqueued_at) AS asked_at
FROM item
JOIN request ON request.item_id = item.id
JOIN model ON model.id = item.model_id
LEFT JOIN submission ON submission.id = :submission_id
LEFT JOIN direct_claim ON direct_claim.id = :submission_id
WHERE item.id = ANY(:ids) AND request.traceparent IS NOT NULL
ORDER BY item.id;

