-- What ledger/deliver/due.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- recorded_and_claimed: What this transaction has recorded and claimed, by target; its answers are at hand and not read again.
-- ids = '{1}'
SELECT item.id, item.state, lane.name AS lane, run.name AS run, request.receipt, request.key, request.tenant,
    request.trace_id, request.enqueued_at, request.cut_from_tokens, request.cut_to_tokens, request.model_why,
    request.traceparent, request.tracestate, item.deadline, item.target_id, item.attempts,
    coalesce(request.callback, (
    SELECT document
    FROM callback
    WHERE callback.id = request.callback_id
)) AS callback, now() AS finished_at, coalesce(redo.number, 0) AS redos, coalesce(redo.attempts_before,
    0) AS attempts_before, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END AS cost_before_nano
FROM item
JOIN request ON request.item_id = item.id
JOIN lane ON lane.id = item.lane_id
LEFT JOIN run ON run.id = item.run_id
LEFT JOIN redo ON redo.item_id = item.id
WHERE item.id = ANY(:ids);

