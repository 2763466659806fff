-- What ledger/redo.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _copy, 1 of 2: Write the rows of new items after those of the old ones: they wait, as if they had just been accepted.
-- models = '{null}', most = '{null}', new = '{1}', old = '{1}', params = '{null}', shapes = '{null}', sizes = '{null}', unbounded = '{null}', whys = '{null}'
INSERT INTO item(id, lane_id, headers_id, run_id, tenant_id, chain_id, model_id, schema_id, shape_id,
    prefix_id, target_id, state, waiting_since, size, callback_size, max_tokens, deadline, give_up_at,
    direct_at)
SELECT successor.new, lane_id, headers_id, run_id, tenant_id, chain_id, coalesce(successor.model_id,
    item.model_id), schema_id, CASE WHEN successor.model_id IS NULL THEN item.shape_id
    ELSE successor.shape_id END, prefix_id, target_id, 'waiting', now(), coalesce(successor.size, item.size),
    callback_size, coalesce(successor.max_tokens, item.max_tokens), CASE
    WHEN deadline > now() THEN deadline END, CASE WHEN give_up_at > now() THEN give_up_at END, CASE
    WHEN outcome.via = 'direct' THEN now() END
FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[]), CAST(:params AS text[]),
    CAST(:sizes AS integer[]), CAST(:most AS integer[]), CAST(:models AS integer[]),
    CAST(:shapes AS integer[]), CAST(:whys AS text[]), CAST(:unbounded AS boolean[])) AS successor(old, new,
    params, size, max_tokens, model_id, shape_id, model_why, unbounded)
JOIN item ON item.id = successor.old
LEFT JOIN outcome ON outcome.item_id = successor.old;

-- _copy, 2 of 2: Write the rows of new items after those of the old ones: they wait, as if they had just been accepted.
-- models = '{null}', most = '{null}', new = '{1}', old = '{1}', params = '{null}', shapes = '{null}', sizes = '{null}', unbounded = '{null}', whys = '{null}'
INSERT INTO request(item_id, receipt, key, tenant, trace_id, callback, callback_id, params, body_group,
    body_place, unbounded, cut_from_tokens, cut_to_tokens, model_why, traceparent, tracestate)
SELECT successor.new, receipt, key, tenant, trace_id, callback, callback_id, coalesce(successor.params,
    request.params), CASE WHEN successor.params IS NULL THEN body_group END, CASE
    WHEN successor.params IS NULL THEN body_place END, CASE
    WHEN successor.params IS NULL THEN request.unbounded ELSE successor.unbounded END, cut_from_tokens,
    cut_to_tokens, coalesce(successor.model_why, request.model_why), traceparent, tracestate
FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[]), CAST(:params AS text[]),
    CAST(:sizes AS integer[]), CAST(:most AS integer[]), CAST(:models AS integer[]),
    CAST(:shapes AS integer[]), CAST(:whys AS text[]), CAST(:unbounded AS boolean[])) AS successor(old, new,
    params, size, max_tokens, model_id, shape_id, model_why, unbounded)
JOIN request ON request.item_id = successor.old;

-- _encrypted: Those of the items whose requests are encrypted in their own rows.
-- ids = '{1}'
SELECT item_id
FROM request
WHERE item_id = ANY(:ids) AND params LIKE 'encrypted:%';

-- _pass_on, 1 of 3: Keys and followers go from old items to new ones.
-- old = '{1}'
SELECT item.lane_id, item.id, request.key
FROM item
JOIN request ON request.item_id = item.id
WHERE item.id = ANY(:old);

-- _pass_on, 2 of 3: Keys and followers go from old items to new ones.
-- new = '{1}', old = '{1}'
UPDATE follower
SET of_item_id = successor.new
FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS successor(old, new)
WHERE of_item_id = successor.old AND EXISTS (
    SELECT
    FROM item
    WHERE item.id = follower.item_id AND item.state = 'following'
);

-- _pass_on, 3 of 3: Keys and followers go from old items to new ones.
-- hashes = '{\x00}', lanes = '{1}', new = '{1}'
UPDATE item_key
SET item_id = successor.new
FROM unnest(CAST(:lanes AS integer[]), CAST(:hashes AS bytea[]),
    CAST(:new AS bigint[])) AS successor(lane_id, key_hash, new)
WHERE item_key.lane_id = successor.lane_id AND item_key.key_hash = successor.key_hash;

-- _without_body: Those whose requests aren't kept any more: only with another content can they be tried again.
-- ids = '{1}', no_body = 'text'
SELECT item_id
FROM request
WHERE item_id = ANY(:ids) AND params = :no_body;

-- lock, 1 of 2: Those of the items that can be tried again: nobody else redoes them until the transaction ends.
-- ids = '{1}'
SELECT id
FROM item
WHERE id = ANY(:ids) AND state IN ('failed', 'canceled')
ORDER BY id
FOR UPDATE;

-- lock, 2 of 2: Those of the items that can be tried again: nobody else redoes them until the transaction ends.
-- ids = '{1}'
SELECT item_id
FROM follower
WHERE item_id = ANY(:ids);

-- redo: Try items again, with the content that they have or with another. Those that can't be are passed over.
-- n = 1
SELECT nextval('item_id')
FROM generate_series(1, :n);

-- replace, 1 of 2: New items take the places of old ones, which are locked: by old id, the new. The caller writes their rows.
-- by_itself = true, escalated = '{}', new = '{1}', old = '{1}'
INSERT INTO redo(item_id, of_item_id, number, asked_again, escalated, attempts_before, cost_before_nano)
SELECT successor.new, successor.old, coalesce(redo.number, 0) + 1, CASE
    WHEN :by_itself THEN coalesce(redo.asked_again, 0) + 1 ELSE 0 END, :by_itself
    AND (coalesce(redo.escalated, false) OR successor.old = ANY(CAST(:escalated AS bigint[]))),
    coalesce(redo.attempts_before, 0) + item.attempts, CASE WHEN redo.item_id IS NULL THEN 0
    ELSE redo.cost_before_nano END + CASE WHEN outcome.item_id IS NULL THEN 0 ELSE outcome.cost_nano END
FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS successor(old, new)
JOIN item ON item.id = successor.old
LEFT JOIN redo ON redo.item_id = successor.old
LEFT JOIN outcome ON outcome.item_id = successor.old;

-- replace, 2 of 2: New items take the places of old ones, which are locked: by old id, the new. The caller writes their rows.
-- ids = '{1}'
UPDATE item
SET state = 'redone'
WHERE id = ANY(:ids) AND state IN ('failed', 'canceled');

-- why_not: Why an item isn't tried again when somebody asks; None when that is happening already.
-- id = 1
SELECT item.state, redo.number, follower.of_item_id
FROM item
LEFT JOIN redo ON redo.item_id = item.id
LEFT JOIN follower ON follower.item_id = item.id
WHERE item.id = :id;

