-- What ledger/catalogs/lengths.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- of_recipe: The latest billed answers of a catalog's runs by that recipe, added up by run and model.
-- catalog = 'text', latest = 1, recipe = 1
SELECT item.run_id AS group_id, bill.model, count(*) AS answers,
    sum(bill.input_tokens)::bigint AS input_tokens, sum(bill.output_tokens)::bigint AS output_tokens,
    sum(bill.output_tokens::float * bill.output_tokens) AS output_squares,
    sum(bill.cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
    sum(bill.cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
    sum(bill.cache_read_tokens)::bigint AS cache_read_tokens, coalesce(sum(bill.cost_nano),
    0)::bigint AS cost_nano, count(*) FILTER (WHERE item.state <> 'redone') AS items
FROM (
    SELECT id, run_id, state
    FROM (
        SELECT own.block, part.*
        FROM (
            SELECT DISTINCT block
            FROM run_block
            WHERE run_id = ANY(ARRAY(
                SELECT run.id
                FROM run
                JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
                WHERE catalog_run.recipe = :recipe AND catalog_run.catalog_id = (
                    SELECT id
                    FROM catalog
                    WHERE name = :catalog
                )
            ))
            ORDER BY block DESC
        ) own
        CROSS JOIN LATERAL (
            SELECT *
            FROM item
            WHERE id >= own.block::bigint * 250 AND id < (own.block + 1)::bigint * 250 AND run_id = ANY(ARRAY(
                SELECT run.id
                FROM run
                JOIN catalog_run ON run.name = :catalog || '-' || catalog_run.number
                WHERE catalog_run.recipe = :recipe AND catalog_run.catalog_id = (
                    SELECT id
                    FROM catalog
                    WHERE name = :catalog
                )
            ))
            LIMIT 250
        ) part
    ) item
    ORDER BY item.block DESC, item.id DESC
    LIMIT :latest
) item
JOIN whole_outcome AS bill ON bill.item_id = item.id AND bill.billed
GROUP BY item.run_id, bill.model
ORDER BY item.run_id, bill.model;

