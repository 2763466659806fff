-- What ledger/deliver/acknowledge.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- acknowledge, 1 of 2: Record what came back. Returns how many deliveries that ended; one that was ended before isn't counted.
-- generations = '{1}', ids = '{1}', receipts = '{00000000-0000-0000-0000-000000000000}'
SELECT delivery.item_id
FROM unnest(CAST(:ids AS bigint[]), CAST(:generations AS smallint[]),
    CAST(:receipts AS uuid[])) AS said(item_id, generation, receipt)
JOIN request ON request.item_id = said.item_id AND request.receipt = said.receipt
JOIN delivery ON delivery.item_id = said.item_id AND delivery.generation = said.generation
WHERE delivery.state IN ('awaiting_ack', 'sending', 'due', 'dead')
ORDER BY delivery.item_id
FOR UPDATE OF delivery;

-- acknowledge, 2 of 2: Record what came back. Returns how many deliveries that ended; one that was ended before isn't counted.
-- ids = '{}'
UPDATE delivery
SET state = 'delivered', error = NULL
WHERE item_id = ANY(:ids) AND state IN ('awaiting_ack', 'sending', 'due', 'dead');

