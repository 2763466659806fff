-- What ledger/operators/batch_list.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _models
-- id = 1
SELECT model.id AS model_id, model.name AS model, count(*) AS items, sum(size)::bigint AS size,
    sum(max_tokens)::bigint AS max_tokens
FROM item
JOIN model ON model.id = model_id
WHERE batch_id = :id
GROUP BY model.id, model.name
ORDER BY 3 DESC;

-- _parts
-- id = 1
SELECT id
FROM batch
WHERE parent_id = :id AND id > :id AND id < :id + 10000
ORDER BY id;

-- _said
-- id = 1
SELECT lane.name AS lane, problem, coalesce(left(CASE WHEN detail LIKE 'encrypted:%' THEN '(encrypted)'
    ELSE detail END, 400), '') AS detail, array_agg(item_id) AS item_ids, min(finished_at) AS first_at,
    max(finished_at) AS last_at
FROM (
    SELECT item.id, item.lane_id
    FROM item
    WHERE batch_id = :id AND item.state IN ('canceled', 'failed', 'redone')
    ORDER BY item.id DESC
    LIMIT 2000
) newest
JOIN outcome ON outcome.item_id = newest.id
JOIN lane ON lane.id = newest.lane_id
WHERE problem IS NOT NULL
GROUP BY 1, 2, 3;

-- _submissions
-- id = 1
SELECT submission.id, state, twin_of, items, claimed_at, let_go_at, quiet_after, api_id, api_created_at,
    api_expires_at, cancel_asked_at, ended_at, counts, reads, misses, error, coalesce(spent.answers,
    0)::bigint AS answers, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.paid_twice, 0)::bigint AS paid_twice
FROM submission
LEFT JOIN LATERAL (
    SELECT sum(answers) AS answers, sum(cost_nano) AS cost_nano, sum(realtime_nano) AS realtime_nano,
        sum(paid_twice) AS paid_twice
    FROM spending
    WHERE spending.submission_id = submission.id
) spent ON true
WHERE batch_id = :id
ORDER BY submission.id
LIMIT 100;

-- life, 1 of 3: Everything about one batch; None when there is none of this number.
-- id = 1
SELECT batch.id, lane.name AS lane, headers.workspace, batch.state, regexp_replace(batch.reason,
    'encrypted:[^ ]+', '(encrypted)') AS reason, batch.items, batch.size, batch.packed_at,
    extract(epoch FROM now() - batch.packed_at)::float AS age_s,
    extract(epoch FROM now() - batch.changed_at)::float AS changed_s, CASE
    WHEN batch.not_before > now() THEN extract(epoch FROM batch.not_before - now())::float END AS resumes_s,
    extract(epoch FROM now() - newest.api_created_at)::float AS open_s,
    extract(epoch FROM newest.ended_at - newest.api_created_at)::float AS took_s,
    extract(epoch FROM newest.api_expires_at - now())::float AS expires_s, newest.api_id, (
    SELECT count(*)
    FROM submission
    WHERE submission.batch_id = batch.id
) AS submissions, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.unpriced, 0)::bigint AS unpriced
FROM (
    SELECT *
    FROM batch
    WHERE id = :id
) batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
LEFT JOIN LATERAL (
    SELECT api_id, api_created_at, api_expires_at, ended_at
    FROM submission
    WHERE submission.batch_id = batch.id AND api_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT sum(spending.cost_nano) AS cost_nano, sum(spending.realtime_nano) AS realtime_nano,
        sum(spending.unpriced) AS unpriced
    FROM submission
    JOIN spending ON spending.submission_id = submission.id
    WHERE submission.batch_id = batch.id
) spent ON true;

-- life, 2 of 3: Everything about one batch; None when there is none of this number.
-- id = 1
SELECT changed_at, not_before, releases, parent_id, api_version, betas, has_prefixes, has_schemas, (
    SELECT max(at)
    FROM spending
    JOIN submission ON submission.id = spending.submission_id
    WHERE submission.batch_id = batch.id
) AS recorded_at
FROM batch
JOIN headers ON headers.id = headers_id
WHERE batch.id = :id;

-- life, 3 of 3: Everything about one batch; None when there is none of this number.
-- id = 1
SELECT state, count(*) AS n
FROM item
WHERE batch_id = :id
GROUP BY state
ORDER BY n DESC;

-- page, 1 of 2: The newest batches that are wanted and have a smaller number; and before which the next page is, if any.
-- api_id = 'text', before = null, limit = 1, workspace = 'text'
SELECT batch.id, lane.name AS lane, headers.workspace, batch.state, regexp_replace(batch.reason,
    'encrypted:[^ ]+', '(encrypted)') AS reason, batch.items, batch.size, batch.packed_at,
    extract(epoch FROM now() - batch.packed_at)::float AS age_s,
    extract(epoch FROM now() - batch.changed_at)::float AS changed_s, CASE
    WHEN batch.not_before > now() THEN extract(epoch FROM batch.not_before - now())::float END AS resumes_s,
    extract(epoch FROM now() - newest.api_created_at)::float AS open_s,
    extract(epoch FROM newest.ended_at - newest.api_created_at)::float AS took_s,
    extract(epoch FROM newest.api_expires_at - now())::float AS expires_s, newest.api_id, (
    SELECT count(*)
    FROM submission
    WHERE submission.batch_id = batch.id
) AS submissions, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.unpriced, 0)::bigint AS unpriced
FROM (
    SELECT batch.*
    FROM batch
    WHERE batch.headers_id IN (
        SELECT id
        FROM headers
        WHERE workspace = :workspace
    ) AND batch.id IN (
        SELECT batch_id
        FROM submission
        WHERE submission.api_id = :api_id
    ) AND (CAST(:before AS bigint) IS NULL OR batch.id < :before)
    ORDER BY batch.id DESC
    LIMIT :limit
) batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
LEFT JOIN LATERAL (
    SELECT api_id, api_created_at, api_expires_at, ended_at
    FROM submission
    WHERE submission.batch_id = batch.id AND api_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT sum(spending.cost_nano) AS cost_nano, sum(spending.realtime_nano) AS realtime_nano,
        sum(spending.unpriced) AS unpriced
    FROM submission
    JOIN spending ON spending.submission_id = submission.id
    WHERE submission.batch_id = batch.id
) spent ON true
ORDER BY batch.id DESC;

-- page, 2 of 2: The newest batches that are wanted and have a smaller number; and before which the next page is, if any.
-- before = 1, lane = 'text', limit = 1, states = '{text}'
SELECT batch.id, lane.name AS lane, headers.workspace, batch.state, regexp_replace(batch.reason,
    'encrypted:[^ ]+', '(encrypted)') AS reason, batch.items, batch.size, batch.packed_at,
    extract(epoch FROM now() - batch.packed_at)::float AS age_s,
    extract(epoch FROM now() - batch.changed_at)::float AS changed_s, CASE
    WHEN batch.not_before > now() THEN extract(epoch FROM batch.not_before - now())::float END AS resumes_s,
    extract(epoch FROM now() - newest.api_created_at)::float AS open_s,
    extract(epoch FROM newest.ended_at - newest.api_created_at)::float AS took_s,
    extract(epoch FROM newest.api_expires_at - now())::float AS expires_s, newest.api_id, (
    SELECT count(*)
    FROM submission
    WHERE submission.batch_id = batch.id
) AS submissions, coalesce(spent.cost_nano, 0)::bigint AS cost_nano, coalesce(spent.realtime_nano,
    0)::bigint AS realtime_nano, coalesce(spent.unpriced, 0)::bigint AS unpriced
FROM (
    SELECT batch.*
    FROM batch
    WHERE batch.lane_id = (
        SELECT id
        FROM lane
        WHERE name = :lane
    ) AND batch.state = ANY(:states) AND (CAST(:before AS bigint) IS NULL OR batch.id < :before)
    ORDER BY batch.id DESC
    LIMIT :limit
) batch
JOIN lane ON lane.id = batch.lane_id
JOIN headers ON headers.id = batch.headers_id
LEFT JOIN LATERAL (
    SELECT api_id, api_created_at, api_expires_at, ended_at
    FROM submission
    WHERE submission.batch_id = batch.id AND api_id IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) newest ON true
LEFT JOIN LATERAL (
    SELECT sum(spending.cost_nano) AS cost_nano, sum(spending.realtime_nano) AS realtime_nano,
        sum(spending.unpriced) AS unpriced
    FROM submission
    JOIN spending ON spending.submission_id = submission.id
    WHERE submission.batch_id = batch.id
) spent ON true
ORDER BY batch.id DESC;

