-- What ledger/money/history.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _reordered: Those whose fields only stand in another order: to accept they are the same item.
-- ids = '{1}'
SELECT item_id, prefix_id, document, model_why
FROM request
JOIN item ON item.id = item_id
LEFT JOIN prefix ON prefix.id = prefix_id
WHERE item_id = ANY(:ids);

-- answers: The answers of a lane's latest batches, up to about so many items, added up by what they came with.
-- lane = 'text', max_items = 1
SELECT batch_id AS group_id, model, answers, input_tokens, output_tokens, output_squares,
    cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens, cost_nano, output_schema.hash AS schema,
    scale, coalesce(run.name LIKE '%-tried' OR run.name LIKE '%-compared' OR run.name IN (
    SELECT catalog.name || '-' || number
    FROM catalog_run
    JOIN catalog ON catalog.id = catalog_id
), false) AS of_catalog
FROM (
    SELECT item.batch_id, item.run_id, item.schema_id, char_length(ltrim(item.max_tokens::bit(32)::text,
        '0')) AS scale, bill.model, count(*) AS answers, sum(bill.input_tokens)::bigint AS input_tokens,
        sum(bill.output_tokens)::bigint AS output_tokens,
        sum(bill.output_tokens::float * bill.output_tokens) AS output_squares,
        sum(bill.cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
        sum(bill.cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
        sum(bill.cache_read_tokens)::bigint AS cache_read_tokens, coalesce(sum(bill.cost_nano),
        0)::bigint AS cost_nano
    FROM (
        SELECT id, sum(items) OVER (ORDER BY id DESC) - items AS newer
        FROM batch
        WHERE lane_id = (
            SELECT id
            FROM lane
            WHERE name = :lane
        ) AND state = 'collected'
    ) latest
    -- not the view: of that the planner would read all, and then look which are wanted
    JOIN item ON item.batch_id = latest.id
    JOIN whole_outcome AS bill ON bill.item_id = item.id AND bill.billed
    WHERE latest.newer < :max_items
    GROUP BY item.batch_id, item.run_id, item.prefix_id, item.schema_id,
        char_length(ltrim(item.max_tokens::bit(32)::text, '0')), bill.model
) each
LEFT JOIN output_schema ON output_schema.id = schema_id
LEFT JOIN run ON run.id = run_id
ORDER BY batch_id, run_id, schema_id, scale, model;

-- answers_of: What each of these keys' items was billed; those without a billed answer are left out.
-- hashes = '{\x00}', lane = 'text'
SELECT request.key, sum(output_tokens)::bigint AS tokens_out, coalesce(sum(cost_nano),
    0)::bigint AS cost_nano,
    sum(input_tokens + cache_write_5m_tokens + cache_write_1h_tokens + cache_read_tokens)::bigint AS tokens_in
FROM item_key
JOIN lane ON lane.id = item_key.lane_id
JOIN bill ON bill.item_id = item_key.item_id
JOIN request ON request.item_id = item_key.item_id
WHERE lane.name = :lane AND key_hash = ANY(:hashes)
GROUP BY request.key;

-- known: Which of these items' keys are in the lane, and whether with the same content: then it is the same item.
-- hashes = '{\x00}', lane = 'text'
SELECT key_hash, item_id, content_hash
FROM item_key
JOIN lane ON lane.id = item_key.lane_id
WHERE lane.name = :lane AND key_hash = ANY(:hashes);

-- lengths: What the latest billed answers had, by model: from this is learned how long prompts and answers are.
-- latest = 1
SELECT item.model_id, count(*) AS answers, sum(item.size)::bigint AS bytes,
    sum(told.input_tokens + told.cache_write_5m_tokens + told.cache_write_1h_tokens)::bigint AS input_tokens,
    sum(told.output_tokens)::bigint AS output_tokens, sum(item.max_tokens)::bigint AS max_tokens
FROM (
    SELECT item_id, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens
    FROM whole_outcome
    WHERE billed
    ORDER BY item_id DESC
    LIMIT :latest
) told
JOIN item ON item.id = told.item_id
GROUP BY item.model_id;

-- prompt_rates: What the prompts of the latest billed answers had, those read from a cache included; by lane and model.
-- latest = 1
SELECT lane.name AS lane, model.name AS model, count(*) AS answers,
    (sum(tokens)::float / sum(size))::float AS per_byte, coalesce(stddev_samp(tokens::float / size),
    0)::float AS deviation
FROM (
    SELECT item.lane_id, item.model_id, greatest(item.size, 1) AS size,
        told.input_tokens + told.cache_write_5m_tokens + told.cache_write_1h_tokens + told.cache_read_tokens AS tokens
    FROM (
        SELECT item_id, input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cache_read_tokens
        FROM whole_outcome
        WHERE billed
        ORDER BY item_id DESC
        LIMIT :latest
    ) told
    JOIN item ON item.id = told.item_id
) prompt
JOIN lane ON lane.id = lane_id
JOIN model ON model.id = model_id
WHERE tokens > 0
GROUP BY lane.name, model.name;

-- turnarounds: How long the latest batches took, of all lanes; those that were canceled are left out.
-- limit = 1
SELECT coalesce(submission.items, batch.items) AS items, submission.api_created_at AS created_at,
    greatest(extract(epoch FROM submission.ended_at - submission.api_created_at)::float, 1) AS took_s
FROM submission
JOIN batch ON batch.id = submission.batch_id
WHERE submission.ended_at >= submission.api_created_at AND submission.cancel_asked_at IS NULL
ORDER BY submission.id DESC
LIMIT :limit;

