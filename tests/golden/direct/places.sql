-- What ledger/direct/places.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- in_turns: Whose turn it is there: items in the order in which they go. Nothing is locked.
-- headers_id = 1, lane_id = 1, model_id = 1, most = 1
WITH RECURSIVE tenant(id) AS (
    (
        SELECT tenant_id
        FROM item
        WHERE item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND tenant_id IS NOT NULL
        ORDER BY lane_id, headers_id, model_id, tenant_id
        LIMIT 1
    )
    UNION ALL
    SELECT next.tenant_id
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT tenant_id
        FROM item
        WHERE item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.tenant_id > tenant.id
        ORDER BY lane_id, headers_id, model_id, tenant_id
        LIMIT 1
    ) next
),
-- who has fewer leaves room for more of the others at the next look
each(n) AS (
    SELECT 1 + :most / (1 + count(*))
    FROM tenant
), candidate AS (
    SELECT next.*
    FROM tenant
    CROSS JOIN LATERAL (
        SELECT id, tenant_id, direct_at, deadline
        FROM item
        WHERE item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND item.tenant_id = tenant.id
        ORDER BY direct_at, id
        LIMIT (
            SELECT n
            FROM each
        )
    ) next
    UNION (
        SELECT id, tenant_id, direct_at, deadline
        FROM item
        WHERE item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND tenant_id IS NULL
        ORDER BY direct_at, id
        LIMIT (
            SELECT n
            FROM each
        )
    )
    UNION (
        SELECT id, tenant_id, direct_at, deadline
        FROM item
        WHERE item.lane_id = :lane_id AND item.headers_id = :headers_id AND item.model_id = :model_id
            AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
            AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND deadline IS NOT NULL
        ORDER BY deadline
        LIMIT :most
    )
), busy AS (
    SELECT tenant_id, count(*) AS calls
    FROM direct_claim
    JOIN direct_call ON direct_call.claim_id = direct_claim.id
    JOIN item ON item.id = direct_call.item_id
    WHERE direct_claim.lane_id = :lane_id AND EXISTS (
        SELECT
        FROM tenant
    )
    GROUP BY tenant_id
), queued AS (
    SELECT candidate.id, least(direct_at, CASE WHEN deadline IS NOT NULL THEN greatest(deadline,
        now()) - interval '1 hour' END) AS urgency, coalesce(busy.calls,
        0) + row_number() OVER (PARTITION BY candidate.tenant_id ORDER BY least(direct_at, CASE
        WHEN deadline IS NOT NULL THEN greatest(deadline, now()) - interval '1 hour' END),
        candidate.id) AS turn
    FROM candidate
    LEFT JOIN busy ON busy.tenant_id IS NOT DISTINCT FROM candidate.tenant_id
)
SELECT id
FROM queued
ORDER BY turn, urgency, id
LIMIT :most;

-- room, 1 of 2: How many more calls a lane may have under way, over all workers.
-- lane_id = 1
SELECT count(*)
FROM direct_claim
JOIN direct_call ON direct_call.claim_id = direct_claim.id
WHERE direct_claim.lane_id = :lane_id;

-- room, 2 of 2: How many more calls a lane may have under way, over all workers.
-- lane_id = 1
SELECT pg_advisory_xact_lock(:lane_id, -1);

-- sources: Where something is to be sent now and may be, the most urgent first. lanes: no others are looked at.
-- lanes = '{text}'
WITH RECURSIVE source(lane_id, headers_id, model_id) AS (
    (
        SELECT lane_id, headers_id, model_id
        FROM item
        WHERE item.direct_at IS NOT NULL AND item.held_by IS NULL
        ORDER BY lane_id, headers_id, model_id
        LIMIT 1
    )
    UNION ALL
    SELECT next.*
    FROM source
    CROSS JOIN LATERAL (
        SELECT lane_id, headers_id, model_id
        FROM item
        WHERE item.direct_at IS NOT NULL AND item.held_by IS NULL AND (item.lane_id, item.headers_id,
            item.model_id) > (source.lane_id, source.headers_id, source.model_id)
        ORDER BY lane_id, headers_id, model_id
        LIMIT 1
    ) next
)
SELECT source.lane_id, source.headers_id, source.model_id, lane.name AS lane, headers.workspace,
    headers.betas, headers.api_version, model.name AS model
FROM source
JOIN lane ON lane.id = source.lane_id
JOIN headers ON headers.id = source.headers_id
JOIN model ON model.id = source.model_id
JOIN workspace ON workspace.name = headers.workspace
CROSS JOIN LATERAL (
    SELECT direct_at
    FROM item
    WHERE item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
        AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND item.lane_id = source.lane_id
        AND item.headers_id = source.headers_id AND item.model_id = source.model_id
    ORDER BY lane_id, headers_id, model_id, tenant_id, direct_at
    LIMIT 1
) head
LEFT JOIN LATERAL (
    SELECT deadline
    FROM item
    WHERE item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
        AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND item.lane_id = source.lane_id
        AND item.headers_id = source.headers_id AND item.model_id = source.model_id AND deadline IS NOT NULL
    ORDER BY deadline
    LIMIT 1
) wanted ON true
WHERE lane.paused_at IS NULL AND workspace.held_at IS NULL
    AND (workspace.not_before IS NULL OR workspace.not_before <= now()) AND EXISTS (
    SELECT
    FROM deployment
    WHERE home = (
        SELECT system_identifier
        FROM pg_control_system()
    ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
        SELECT oid
        FROM pg_database
        WHERE datname = current_database()
    ) AND (moved_at IS NULL OR workspace.looked_at >= moved_at AND NOT word_wanted)
) AND NOT EXISTS (
    SELECT
    FROM direct_pause
    WHERE direct_pause.workspace = headers.workspace AND direct_pause.model_id = source.model_id
        AND not_before > now()
) AND lane.name = ANY(:lanes)
ORDER BY least(direct_at, CASE WHEN deadline IS NOT NULL THEN greatest(deadline,
    now()) - interval '1 hour' END);

