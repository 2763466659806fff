-- What ledger/pack/pack.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- amounts: How many items, and bytes of requests, wait in a lane: for each of its headers.
-- lane_id = 1
SELECT sum(n)::bigint AS items, sum(bytes)::bigint AS bytes
FROM tally
WHERE noun = 'item' AND state = 'waiting' AND lane_id = :lane_id
GROUP BY headers_id
HAVING sum(n) > 0;

-- largest_waiting: How many items wait in a lane for the set of headers that most of them have.
-- lane = 'text'
SELECT coalesce(max(items), 0)::bigint
FROM (
    SELECT sum(n) AS items
    FROM tally
    WHERE noun = 'item' AND state = 'waiting' AND lane_id = (
        SELECT id
        FROM lane
        WHERE name = :lane
    )
    GROUP BY headers_id
) waiting;

-- pack, 1 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- id = 1
DELETE FROM batch
WHERE id = :id;

-- pack, 2 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- headers_id = 1, lane_id = 1
INSERT INTO batch(lane_id, headers_id, state, items, size) VALUES (:lane_id, :headers_id, 'packed', 0, 0)
RETURNING id;

-- pack, 3 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
SET LOCAL enable_nestloop = off;

-- pack, 4 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- batch_id = 1, headers_id = 1, lane_id = 1, max_bytes = 1, max_items = 1, written_models = '{1}', written_prefixes = '{1}'
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id,
        row_number() OVER (ORDER BY tenant_id, waiting_since, id) AS position
    FROM item
    WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id AND item.headers_id = :headers_id
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
    LIMIT :max_items
), filling AS (
    SELECT *, sum(size + 80) OVER (ORDER BY position) AS filled,
        row_number() OVER (ORDER BY position) AS number
    FROM candidate
), chosen AS (
    SELECT *
    FROM filling
    WHERE filled <= :max_bytes OR number = 1
), moved AS (
    UPDATE item
    SET state = 'batched', batch_id = :batch_id, waiting_since = NULL
    WHERE state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM chosen
    ))
    RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
), filled AS (
    SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
        count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
    FROM moved
)
UPDATE batch
SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
    has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
FROM filled
WHERE id = :batch_id
RETURNING batch.items, 0 AS held;

-- pack, 5 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- batch_id = 1, each = 1, headers_id = 1, lane_id = 1, max_bytes = 1, max_items = 1, tenants = '{1}', written_models = '{1}', written_prefixes = '{1}'
WITH candidate AS (
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
), filling AS (
    SELECT *, sum(size + 80) OVER (ORDER BY position) AS filled,
        row_number() OVER (ORDER BY position) AS number
    FROM candidate
), chosen AS (
    SELECT *
    FROM filling
    WHERE filled <= :max_bytes OR number = 1
), moved AS (
    UPDATE item
    SET state = 'batched', batch_id = :batch_id, waiting_since = NULL
    WHERE state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM chosen
    ))
    RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
), filled AS (
    SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
        count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
    FROM moved
)
UPDATE batch
SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
    has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
FROM filled
WHERE id = :batch_id
RETURNING batch.items, 0 AS held;

-- pack, 6 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- batch_id = 1, each = 1, headers_id = 1, lane_id = 1, max_bytes = 1, max_items = 1, tenants = '{1}'
WITH candidate AS (
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
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND item.tenant_id = head.tenant_id
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
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND tenant_id IS NULL
                ORDER BY tenant_id, waiting_since, id
                LIMIT :each
            )
        ) of_each
    ) queued
    ORDER BY turn, waiting_since, id
    LIMIT :max_items
), filling AS (
    SELECT *, sum(size + 80) OVER (ORDER BY position) AS filled,
        row_number() OVER (ORDER BY position) AS number
    FROM candidate
), chosen AS (
    SELECT *
    FROM filling
    WHERE filled <= :max_bytes OR number = 1
), moved AS (
    UPDATE item
    SET state = 'batched', batch_id = :batch_id, waiting_since = NULL
    WHERE state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM chosen
    ))
    RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
), filled AS (
    SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
        count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
    FROM moved
)
UPDATE batch
SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
    has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
FROM filled
WHERE id = :batch_id
RETURNING batch.items, 0 AS held;

-- pack, 7 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- batch_id = 1, each = 1, headers_id = 1, lane_id = 1, max_bytes = 1, max_items = 1, rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', room_begins = '{text}', room_budgets = '{1}', room_caps = '{1}', room_chains = '{null}', room_lanes = '{1}', room_nanos = '{1}', room_runs = '{null}', room_stricts = '{true}', room_tenants = '{null}', tenants = '{1}', unbounded = 'text'
WITH candidate AS (
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
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND item.tenant_id = head.tenant_id
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
                    AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND NOT (false)
                    AND tenant_id IS NULL
                ORDER BY tenant_id, waiting_since, id
                LIMIT :each
            )
        ) of_each
    ) queued
    ORDER BY turn, waiting_since, id
    LIMIT :max_items
), room(budget_id, chain_id, run_id, tenant_id, lane_id, strict, begins, cap_nano, nano) AS (
    SELECT *
    FROM unnest(CAST(:room_budgets AS integer[]), CAST(:room_chains AS integer[]),
        CAST(:room_runs AS integer[]), CAST(:room_tenants AS integer[]), CAST(:room_lanes AS integer[]),
        CAST(:room_stricts AS boolean[]), CAST(:room_begins AS date[]), CAST(:room_caps AS bigint[]),
        CAST(:room_nanos AS bigint[]))
), unlocked AS (
    SELECT tenant_id, run_id
    FROM budget
    WHERE chain_id IS NULL AND id NOT IN (
        SELECT budget_id
        FROM room
    )
), rate(model_id, above, up_to, input_nano, output_nano, share) AS (
    SELECT *
    FROM unnest(CAST(:rate_models AS integer[]), CAST(:rate_aboves AS bigint[]),
        CAST(:rate_up_tos AS bigint[]), CAST(:rate_inputs AS bigint[]), CAST(:rate_outputs AS bigint[]),
        CAST(:rate_shares AS float[]))
), chain_room AS (
    SELECT DISTINCT ON (chain_id) chain_id, budget_id AS chain_budget, cap_nano AS chain_cap,
        nano AS chain_nano, bool_or(strict) OVER (PARTITION BY chain_id) AS chain_strict
    FROM room
    WHERE chain_id IS NOT NULL
    ORDER BY chain_id, nano, budget_id
), run_room AS (
    SELECT DISTINCT ON (run_id) run_id, budget_id AS run_budget, cap_nano AS run_cap, nano AS run_nano,
        bool_or(strict) OVER (PARTITION BY run_id) AS run_strict
    FROM room
    WHERE run_id IS NOT NULL
    ORDER BY run_id, nano, budget_id
), tenant_room AS (
    SELECT DISTINCT ON (tenant_id) tenant_id, budget_id AS tenant_budget, cap_nano AS tenant_cap,
        nano AS tenant_nano, bool_or(strict) OVER (PARTITION BY tenant_id) AS tenant_strict
    FROM room
    WHERE tenant_id IS NOT NULL
    ORDER BY tenant_id, nano, budget_id
), lane_room AS (
    SELECT DISTINCT ON (lane_id) lane_id, budget_id AS lane_budget, cap_nano AS lane_cap, nano AS lane_nano,
        bool_or(strict) OVER (PARTITION BY lane_id) AS lane_strict
    FROM room
    WHERE lane_id IS NOT NULL
    ORDER BY lane_id, nano, budget_id
), budgeted AS (
    SELECT candidate.*, chain_budget, chain_cap, chain_nano, run_budget, run_cap, run_nano, tenant_budget,
        tenant_cap, tenant_nano, lane_budget, lane_cap, lane_nano, coalesce(chain_budget, run_budget,
        tenant_budget, lane_budget) AS budget_id, coalesce(chain_strict, false) OR coalesce(run_strict,
        false) OR coalesce(tenant_strict, false) OR coalesce(lane_strict, false) AS strict
    FROM candidate
    LEFT JOIN chain_room USING (chain_id)
    LEFT JOIN run_room USING (run_id)
    LEFT JOIN tenant_room USING (tenant_id)
    LEFT JOIN lane_room USING (lane_id)
    -- those whose budget isn't locked came after the look for it: the next batch takes them
    WHERE (tenant_id IS NULL OR tenant_id NOT IN (
        SELECT tenant_id
        FROM unlocked
        WHERE tenant_id IS NOT NULL
    )) AND (run_id IS NULL OR run_id NOT IN (
        SELECT run_id
        FROM unlocked
        WHERE run_id IS NOT NULL
    )) AND (chain_id IS NULL OR chain_id IN (
        SELECT chain_id
        FROM chain_room
    ))
), unbounded_prefix AS (
    SELECT id
    FROM prefix
    WHERE id IN (
        SELECT prefix_id
        FROM budgeted
        WHERE strict
    ) AND coalesce(prefix.unbounded, document LIKE '%"type"%' AND document ~ :unbounded)
), bounded AS (
    -- most requests have no "type" at all, and looking for that is fast
    SELECT *, strict AND (prefix_id IN (
        SELECT id
        FROM unbounded_prefix
    ) OR (
        SELECT coalesce(unbounded, params LIKE '%"type"%' AND params ~ :unbounded)
        FROM request
        WHERE item_id = budgeted.id
    )) IS TRUE AS unbounded
    FROM budgeted
), priced AS (
    SELECT bounded.*, CASE WHEN budget_id IS NOT NULL AND NOT unbounded THEN ceil(
        (
            (bounded.size + 2000) * rate.input_nano + bounded.max_tokens::bigint * rate.output_nano
        ) * CASE WHEN strict THEN 1 ELSE rate.share END
    )::bigint END AS reserve
    FROM bounded
    LEFT JOIN rate ON rate.model_id = bounded.model_id AND bounded.size + 2000 > rate.above
        AND bounded.size + 2000 <= rate.up_to
), fits_chain AS (
    SELECT *, CASE WHEN reserve > chain_cap OR sum(reserve) FILTER (WHERE true
        AND reserve <= chain_cap) OVER (PARTITION BY chain_id ORDER BY position) > chain_nano THEN chain_budget END AS over_chain
    FROM priced
), fits_run AS (
    SELECT *, CASE WHEN reserve > run_cap OR sum(reserve) FILTER (WHERE over_chain IS NULL
        AND reserve <= run_cap) OVER (PARTITION BY run_id ORDER BY position) > run_nano THEN run_budget END AS over_run
    FROM fits_chain
), fits_tenant AS (
    SELECT *, CASE WHEN reserve > tenant_cap OR sum(reserve) FILTER (WHERE coalesce(over_chain,
        over_run) IS NULL
        AND reserve <= tenant_cap) OVER (PARTITION BY tenant_id ORDER BY position) > tenant_nano THEN tenant_budget END AS over_tenant
    FROM fits_run
), fits_lane AS (
    SELECT *, CASE WHEN reserve > lane_cap OR sum(reserve) FILTER (WHERE coalesce(over_chain, over_run,
        over_tenant) IS NULL
        AND reserve <= lane_cap) OVER (PARTITION BY lane_id ORDER BY position) > lane_nano THEN lane_budget END AS over_lane
    FROM fits_tenant
), judged AS (
    SELECT id, size, position, reserve, CASE WHEN reserve IS NULL THEN budget_id ELSE coalesce(over_chain,
        over_run, over_tenant, over_lane) END AS held_by, CASE WHEN unbounded THEN 'no bound'
        WHEN reserve IS NULL THEN 'no price' WHEN reserve > CASE
        WHEN over_chain IS NOT NULL THEN chain_cap WHEN over_run IS NOT NULL THEN run_cap
        WHEN over_tenant IS NOT NULL THEN tenant_cap ELSE lane_cap END THEN 'over the cap by itself'
        ELSE 'over budget' END AS why
    FROM fits_lane
), held AS (
    UPDATE item
    SET state = 'held', waiting_since = NULL, held_since = item.waiting_since, held_by = judged.held_by,
        held_reason = judged.why, reserved_nano = judged.reserve
    FROM judged
    WHERE item.state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM judged
        WHERE held_by IS NOT NULL
    )) AND item.id = judged.id
    RETURNING item.id
), filling AS (
    SELECT *, sum(size + 80) OVER (ORDER BY position) AS filled,
        row_number() OVER (ORDER BY position) AS number
    FROM judged
    WHERE held_by IS NULL
), chosen AS (
    SELECT *
    FROM filling
    WHERE filled <= :max_bytes OR number = 1
), moved AS (
    UPDATE item
    SET state = 'batched', batch_id = :batch_id, waiting_since = NULL, reserved_nano = chosen.reserve
    FROM chosen
    WHERE state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM chosen
    )) AND item.id = chosen.id
    RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
), booked AS (
    INSERT INTO booking(budget_id, begins, batch_id, reserved_nano)
    SELECT room.budget_id, room.begins, :batch_id, sum(part.nano)
    FROM (
        SELECT lane_id, tenant_id, run_id, sum(reserved_nano) AS nano
        FROM moved
        WHERE reserved_nano IS NOT NULL
        GROUP BY lane_id, tenant_id, run_id
    ) part
    JOIN room ON room.lane_id = part.lane_id OR room.tenant_id = part.tenant_id OR room.run_id = part.run_id
    GROUP BY room.budget_id, room.begins
    UNION ALL
    SELECT room.budget_id, room.begins, :batch_id, sum(moved.reserved_nano)
    FROM moved
    JOIN room USING (chain_id)
    WHERE moved.reserved_nano IS NOT NULL
    GROUP BY room.budget_id, room.begins
), filled AS (
    SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
        count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
    FROM moved
)
UPDATE batch
SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
    has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
FROM filled
WHERE id = :batch_id
RETURNING batch.items, (
    SELECT count(*)
    FROM held
) AS held;

-- pack, 8 of 8: Make one batch of those that have waited longest, tenant by tenant; what a budget can't take is held.
-- batch_id = 1, headers_id = 1, item_id = 1, lane_id = 1, max_bytes = 1
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, 1 AS position
    FROM item
    WHERE item.waiting_since IS NOT NULL AND item.lane_id = :lane_id AND item.headers_id = :headers_id
        AND id = :item_id
), filling AS (
    SELECT *, sum(size + 80) OVER (ORDER BY position) AS filled,
        row_number() OVER (ORDER BY position) AS number
    FROM candidate
), chosen AS (
    SELECT *
    FROM filling
    WHERE filled <= :max_bytes OR number = 1
), moved AS (
    UPDATE item
    SET state = 'batched', batch_id = :batch_id, waiting_since = NULL
    WHERE state IN ('waiting') AND item.id = ANY(ARRAY(
        SELECT id
        FROM chosen
    ))
    RETURNING item.size, schema_id, prefix_id, lane_id, tenant_id, run_id, chain_id, reserved_nano, deadline
), filled AS (
    SELECT count(*) AS items, coalesce(sum(size), 0) AS size, count(schema_id) > 0 AS has_schemas,
        count(prefix_id) > 0 AS has_prefixes, count(deadline) > 0 AS has_deadlines
    FROM moved
)
UPDATE batch
SET items = filled.items, size = filled.size, has_schemas = filled.has_schemas,
    has_prefixes = filled.has_prefixes, look_at = CASE WHEN filled.has_deadlines THEN now() END
FROM filled
WHERE id = :batch_id
RETURNING batch.items, 0 AS held;

-- take_turn: Wait until no other packer is at this lane and headers; returns what waits there then, None for nothing.
-- headers_id = 1, lane_id = 1
SELECT pg_advisory_xact_lock(:lane_id, :headers_id);

-- waiting: Everything that waits in lanes that aren't paused, or in this one alone.
-- headers_id = null, lane_id = null
SELECT lane.name AS lane, t.lane_id, t.headers_id, t.items, t.bytes, coalesce(extract(epoch FROM now() - (
    SELECT min(waiting_since)
    FROM (
        WITH RECURSIVE head(tenant_id, waiting_since) AS (
            (
                SELECT tenant_id, waiting_since
                FROM item
                WHERE item.waiting_since IS NOT NULL AND item.lane_id = t.lane_id
                    AND item.headers_id = t.headers_id
                    AND (item.direct_at IS NULL OR item.direct_at > now())
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
                WHERE item.waiting_since IS NOT NULL AND item.lane_id = t.lane_id
                    AND item.headers_id = t.headers_id
                    AND (item.direct_at IS NULL OR item.direct_at > now())
                    AND (item.give_up_at IS NULL OR item.give_up_at > now())
                    AND item.tenant_id > head.tenant_id
                ORDER BY tenant_id, waiting_since
                LIMIT 1
            ) next
        )
        SELECT tenant_id, waiting_since
        FROM head
        UNION ALL (
            SELECT tenant_id, waiting_since
            FROM item
            WHERE item.waiting_since IS NOT NULL AND item.lane_id = t.lane_id
                AND item.headers_id = t.headers_id AND (item.direct_at IS NULL OR item.direct_at > now())
                AND (item.give_up_at IS NULL OR item.give_up_at > now()) AND tenant_id IS NULL AND EXISTS (
                SELECT
                FROM head
                WHERE head.tenant_id IS NOT NULL
            )
            ORDER BY tenant_id, waiting_since
            LIMIT 1
        )
    ) head
)), 0)::float AS oldest_age_s, lane.drain_until IS NOT NULL AS drains
FROM (
    SELECT lane_id, headers_id, sum(n)::bigint AS items, sum(bytes)::bigint AS bytes
    FROM tally
    WHERE noun = 'item' AND state = 'waiting'
    GROUP BY lane_id, headers_id
    HAVING sum(n) > 0
) t
JOIN lane ON lane.id = t.lane_id
WHERE lane.paused_at IS NULL AND t.lane_id = coalesce(:lane_id, t.lane_id)
    AND t.headers_id = coalesce(:headers_id, t.headers_id);

