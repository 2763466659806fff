-- What ledger/accept.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _known: What items are of which some keys are there already; what follows or takes the place of others is written.
-- ids = '{1}', leaders = '{1}', receipts = '{text}'
INSERT INTO follower(item_id, of_item_id, receipt)
SELECT *
FROM unnest(CAST(:ids AS bigint[]), CAST(:leaders AS bigint[]), CAST(:receipts AS uuid[]));

-- _write_items, 1 of 2
COPY item(id, lane_id, headers_id, run_id, tenant_id, model_id, schema_id, shape_id, prefix_id, target_id,
    state, waiting_since, size, callback_size, max_tokens, chain_id, deadline, give_up_at, direct_at,
    batch_chance)
FROM STDIN;

-- _write_items, 2 of 2
SELECT now();

-- _write_requests: places: where those lie that are in groups; the others lie in their own rows. key: what encrypts them.
COPY request(item_id, receipt, key, tenant, trace_id, callback, callback_id, model_why, traceparent,
    tracestate, params, body_group, body_place, unbounded)
FROM STDIN;

-- begin, 1 of 2: Count a try of messages before they are parsed.
-- message_ids = '{00000000-0000-0000-0000-000000000000}'
INSERT INTO inbox(message_id, tries)
SELECT message_id, 1
FROM unnest(CAST(:message_ids AS uuid[])) AS message_id
ORDER BY message_id
ON CONFLICT (message_id) DO UPDATE SET tries = inbox.tries + 1
RETURNING message_id, tries, verdict;

-- begin, 2 of 2: Count a try of messages before they are parsed.
SET LOCAL synchronous_commit = off;

-- forget: Messages may be accepted anew: their verdicts, and their tries, are gone; the items that are in stay.
-- message_ids = '{00000000-0000-0000-0000-000000000000}'
DELETE FROM inbox
WHERE message_id = ANY(CAST(:message_ids AS uuid[]));

-- insert_items: Write the items whose keys are new. Returns what each of them is, in their order.
-- n = 1
SELECT array_agg(nextval('item_id')) AS ids
FROM generate_series(1, :n);

-- record_verdicts: Write the verdicts of messages, in the transaction that wrote their items. lanes: by message. Raises NoKey.
-- message_ids = '{00000000-0000-0000-0000-000000000000}', places = '{1}', verdicts = '{text}'
UPDATE inbox
SET verdict = (CAST(:verdicts AS text[])) [reached.place], done_at = now()
FROM unnest(CAST(:message_ids AS uuid[]), CAST(:places AS integer[])) AS reached(message_id, place)
WHERE inbox.message_id = reached.message_id;

-- uncount: Their last try failed for no fault of theirs.
-- message_ids = '{00000000-0000-0000-0000-000000000000}'
UPDATE inbox
SET tries = tries - 1
WHERE message_id = ANY(CAST(:message_ids AS uuid[])) AND verdict IS NULL;

