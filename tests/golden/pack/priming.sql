-- What ledger/pack/priming.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- being_written: The prefixes that a batch writes into the cache right now.
-- goes_ahead = '{text}', headers_id = 1
SELECT prefix_id, model_id
FROM primer
JOIN batch ON batch.id = primer.batch_id
WHERE primer.headers_id = :headers_id AND batch.state = ANY(:goes_ahead);

-- cold: The prefixes that could be written ahead for those who go next.
-- each = 1, headers_id = 1, lane_id = 1, max_items = 1, tenants = '{1}', written_models = '{1}', written_prefixes = '{1}'
SELECT item_id, prefix_id, model_id, model.name AS model, requests, coalesce(prefix.size,
    octet_length(prefix.document)) AS prefix_bytes
FROM (
    SELECT min(id) AS item_id, prefix_id, model_id, count(*) AS requests
    FROM (
        SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
            row_number() OVER (ORDER BY turn, waiting_since, id) AS position
        FROM (
            SELECT *, row_number() OVER (PARTITION BY tenant_id ORDER BY waiting_since, id) AS turn
            FROM (
                SELECT next.*
                FROM unnest(CAST(:tenants AS integer[])) AS head(tenant_id)
                CROSS JOIN LATERAL (
                    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
                        waiting_since
                    FROM item
                    WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
                        AND item.headers_id = :headers_id
                        AND (item.direct_at IS NULL OR item.direct_at > now())
                        AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (EXISTS (
                        SELECT
                        FROM unmeasured
                        WHERE unmeasured.item_id = item.id
                    ) OR (prefix_id, model_id) IN (
                        SELECT *
                        FROM unnest(CAST(:written_prefixes AS integer[]), CAST(:written_models AS integer[]))
                    ) IS TRUE) AND item.tenant_id = head.tenant_id
                    ORDER BY tenant_id, waiting_since, id
                    LIMIT :each
                ) next
                UNION ALL (
                    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
                        waiting_since
                    FROM item
                    WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
                        AND item.headers_id = :headers_id
                        AND (item.direct_at IS NULL OR item.direct_at > now())
                        AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (EXISTS (
                        SELECT
                        FROM unmeasured
                        WHERE unmeasured.item_id = item.id
                    ) OR (prefix_id, model_id) IN (
                        SELECT *
                        FROM unnest(CAST(:written_prefixes AS integer[]), CAST(:written_models AS integer[]))
                    ) IS TRUE) AND tenant_id IS NULL
                    ORDER BY tenant_id, waiting_since, id
                    LIMIT :each
                )
            ) of_each
        ) queued
        ORDER BY turn, waiting_since, id
        LIMIT :max_items
    ) next
    WHERE prefix_id IS NOT NULL
    GROUP BY prefix_id, model_id
) shared
JOIN prefix ON prefix.id = prefix_id
JOIN model ON model.id = model_id
WHERE NOT EXISTS (
    SELECT
    FROM primer
    WHERE primer.headers_id = :headers_id AND primer.prefix_id = shared.prefix_id
        AND primer.model_id = shared.model_id AND at > now() - interval '1 hour'
)
ORDER BY item_id;

-- note: The item has gone ahead, in the batch that it was packed into.
-- headers_id = 1, item_id = 1, model_id = 1, prefix_id = 1
INSERT INTO primer(headers_id, prefix_id, model_id, batch_id)
SELECT :headers_id, :prefix_id, :model_id, batch_id
FROM item
WHERE id = :item_id
ON CONFLICT (headers_id, prefix_id, model_id) DO UPDATE SET batch_id = excluded.batch_id, at = now();

