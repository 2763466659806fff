-- What ledger/collect/caching.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- forget, 1 of 2: What was chosen long ago decides nothing any more.
-- days = 1
DELETE FROM caching
WHERE at < now() - make_interval(days => :days);

-- forget, 2 of 2: What was chosen long ago decides nothing any more.
DELETE FROM primer
WHERE at < now() - interval '7 days';

-- given_up: Where caching or priming was left alone in the last week because it loses money.
SELECT lane.name AS lane, model.name AS model, what, count(DISTINCT prefix_id) AS prefixes,
    (array_agg(why ORDER BY at DESC)) [1] AS why
FROM caching
JOIN lane ON lane.id = lane_id
JOIN model ON model.id = model_id
CROSS JOIN LATERAL (VALUES ('cached', loses), ('primed', priming = 'given up')) AS given(what, up)
WHERE up AND at > now() - interval '7 days'
GROUP BY lane.name, model.name, what
ORDER BY lane.name, model.name, what;

-- groups: What a batch's requests share.
-- batch_id = 1
SELECT prefix_id, model_id, lane.name AS lane, model.name AS model, shared.requests, coalesce(prefix.size,
    octet_length(prefix.document)) AS prefix_bytes, coalesce(prefix.has_marks,
    position('"cache_control"' IN prefix.document) > 0) AS has_marks, coalesce(
    (
        SELECT CASE WHEN primer.batch_id = :batch_id THEN 'writes' ELSE 'reads' END
        FROM primer
        JOIN batch ON batch.id = :batch_id
        WHERE primer.headers_id = batch.headers_id AND primer.prefix_id = shared.prefix_id
            AND primer.model_id = shared.model_id AND at > now() - interval '1 day'
    ), ''
) AS primed
FROM (
    SELECT prefix_id, model_id, lane_id, count(*) AS requests
    FROM item
    WHERE batch_id = :batch_id AND state = 'batched' AND prefix_id IS NOT NULL
    GROUP BY prefix_id, model_id, lane_id
) shared
JOIN prefix ON prefix.id = prefix_id
JOIN model ON model.id = model_id
JOIN lane ON lane.id = shared.lane_id
ORDER BY prefix_id, model_id;

-- groups_of_items: What items share that are sent in real time; with those of the last five minutes, which may have written it.
-- ids = '{1}'
SELECT shared.prefix_id, shared.model_id, lane.name AS lane, model.name AS model, shared.requests + coalesce(
    (
        SELECT sum(caching.requests)
        FROM caching
        WHERE caching.lane_id = shared.lane_id AND at > now() - interval '5 minutes'
            AND caching.prefix_id = shared.prefix_id AND caching.model_id = shared.model_id
    ), 0
)::bigint AS requests, coalesce(prefix.size, octet_length(prefix.document)) AS prefix_bytes,
    coalesce(prefix.has_marks, position('"cache_control"' IN prefix.document) > 0) AS has_marks
FROM (
    SELECT prefix_id, model_id, lane_id, count(*) AS requests
    FROM item
    WHERE id = ANY(:ids) AND prefix_id IS NOT NULL
    GROUP BY prefix_id, model_id, lane_id
) shared
JOIN prefix ON prefix.id = shared.prefix_id
JOIN model ON model.id = shared.model_id
JOIN lane ON lane.id = shared.lane_id
ORDER BY shared.prefix_id, shared.model_id;

-- hit_rates: How much of what was cached in this lane was read and not written, in the last week, in tokens.
-- enough = 1, lane = 'text'
SELECT prefix_id, model_id, lifetime, sum(read_tokens)::bigint AS read, sum(written_tokens)::bigint AS written
FROM caching
JOIN lane ON lane.id = lane_id
WHERE lane.name = :lane AND lifetime IS NOT NULL AND at > now() - interval '7 days'
    AND priming IS DISTINCT FROM 'ahead'
GROUP BY GROUPING SETS (
    (prefix_id, model_id, lifetime), (model_id, lifetime)
)
HAVING sum(answers) >= :enough AND sum(read_tokens + written_tokens) > 0;

-- measure: Add what new answers say of how much was read and how much was written, in tokens.
-- ids = '{1}', read = '{1}', submission_id = 1, written = '{1}'
UPDATE caching
SET answers = caching.answers + new.answers, read_tokens = read_tokens + new.read,
    written_tokens = written_tokens + new.written
FROM (
    SELECT prefix_id, model_id, count(*) AS answers, sum(answer.read) AS read, sum(answer.written) AS written
    FROM unnest(CAST(:ids AS bigint[]), CAST(:read AS bigint[]), CAST(:written AS bigint[])) AS answer(id,
        read, written)
    JOIN item ON item.id = answer.id
    WHERE prefix_id IS NOT NULL
    GROUP BY prefix_id, model_id
) new
WHERE submission_id = :submission_id AND caching.prefix_id = new.prefix_id AND caching.model_id = new.model_id;

-- note: Keep what was chosen, and why.
-- lifetimes = '{text}', loses = '{true}', models = '{1}', prefixes = '{1}', primings = '{null}', requests = '{1}', submission_id = 1, whys = '{text}'
INSERT INTO caching(submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, priming, requests)
SELECT :submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, priming, requests
FROM submission
JOIN batch ON batch.id = submission.batch_id, unnest(CAST(:prefixes AS integer[]),
    CAST(:models AS integer[]), CAST(:lifetimes AS text[]), CAST(:whys AS text[]), CAST(:loses AS boolean[]),
    CAST(:primings AS text[]), CAST(:requests AS integer[])) AS chosen(prefix_id, model_id, lifetime, why,
    loses, priming, requests)
WHERE submission.id = :submission_id
ON CONFLICT DO NOTHING;

-- note_calls: The same of a direct claim, which chooses anew for each group that it takes.
-- claim_id = 1, lane_id = 1, lifetimes = '{text}', loses = '{true}', models = '{1}', prefixes = '{1}', requests = '{1}', whys = '{text}'
INSERT INTO caching(submission_id, prefix_id, model_id, lane_id, lifetime, why, loses, requests)
SELECT :claim_id, prefix_id, model_id, :lane_id, lifetime, why, loses, requests
FROM unnest(CAST(:prefixes AS integer[]), CAST(:models AS integer[]), CAST(:lifetimes AS text[]),
    CAST(:whys AS text[]), CAST(:loses AS boolean[]), CAST(:requests AS integer[])) AS chosen(prefix_id,
    model_id, lifetime, why, loses, requests)
ON CONFLICT (submission_id, prefix_id, model_id) DO UPDATE SET lifetime = excluded.lifetime,
    why = excluded.why, loses = excluded.loses, at = now(), requests = caching.requests + excluded.requests;

