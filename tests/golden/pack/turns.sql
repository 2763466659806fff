-- What ledger/pack/turns.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _count, 1 of 2: How many candidates there are with so many of each tenant.
-- each = 1, headers_id = 1, lane_id = 1, tenants = '{1}', written_models = '{1}', written_prefixes = '{1}'
SELECT count(*) AS n
FROM (
    SELECT next.*
    FROM unnest(CAST(:tenants AS integer[])) AS head(tenant_id)
    CROSS JOIN LATERAL (
        SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
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
        SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
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
) counted;

-- _count, 2 of 2: How many candidates there are with so many of each tenant.
-- each = 1, headers_id = 1, lane_id = 1, tenants = '{1}'
SELECT count(*) AS n
FROM (
    SELECT next.*
    FROM unnest(CAST(:tenants AS integer[])) AS head(tenant_id)
    CROSS JOIN LATERAL (
        SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
            AND item.tenant_id = head.tenant_id
        ORDER BY tenant_id, waiting_since, id
        LIMIT :each
    ) next
    UNION ALL (
        SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false) AND tenant_id IS NULL
        ORDER BY tenant_id, waiting_since, id
        LIMIT :each
    )
) counted;

-- candidates: Whose turn it is. waiting: how many wait there. stay: those that stay behind.
-- headers_id = 1, lane_id = 1
WITH RECURSIVE head(tenant_id, waiting_since) AS (
    (
        SELECT tenant_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
            AND (item.give_up_at IS NULL OR item.give_up_at > now())
        ORDER BY tenant_id, waiting_since
        LIMIT 1
    )
    UNION ALL
    SELECT next.tenant_id, next.waiting_since
    FROM head
    CROSS JOIN LATERAL (
        SELECT tenant_id, waiting_since
        FROM item
        WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id
            AND item.headers_id = :headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND item.tenant_id > head.tenant_id
        ORDER BY tenant_id, waiting_since
        LIMIT 1
    ) next
)
SELECT tenant_id, waiting_since
FROM head
UNION ALL (
    SELECT tenant_id, waiting_since
    FROM item
    WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id AND item.headers_id = :headers_id
        AND (item.direct_at IS NULL OR item.direct_at > now())
        AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND tenant_id IS NULL AND EXISTS (
        SELECT
        FROM head
        WHERE head.tenant_id IS NOT NULL
    )
    ORDER BY tenant_id, waiting_since
    LIMIT 1
);

