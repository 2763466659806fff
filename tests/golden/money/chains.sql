-- What ledger/money/chains.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _there_are_chains: Most installations have none, and each sweep asks.
SELECT EXISTS (
    SELECT
    FROM chain
);

-- numbers, 1 of 3: The numbers of the chains of a lane, by trace; those that aren't there yet get a budget of so much.
-- cap_nano = 1, lane_id = 1, traces = '{text}'
INSERT INTO budget(chain_id, period, cap_nano, strict)
SELECT id, 'all', :cap_nano, true
FROM chain
WHERE lane_id = :lane_id AND trace_id = ANY(:traces) AND NOT EXISTS (
    SELECT
    FROM budget
    WHERE chain_id = chain.id
)
ORDER BY id
ON CONFLICT DO NOTHING;

-- numbers, 2 of 3: The numbers of the chains of a lane, by trace; those that aren't there yet get a budget of so much.
-- lane_id = 1, traces = '{text}'
INSERT INTO chain(lane_id, trace_id)
SELECT :lane_id, trace
FROM unnest(CAST(:traces AS text[])) AS trace
WHERE NOT EXISTS (
    SELECT
    FROM chain
    WHERE lane_id = :lane_id AND trace_id = trace
)
ORDER BY trace
ON CONFLICT DO NOTHING;

-- numbers, 3 of 3: The numbers of the chains of a lane, by trace; those that aren't there yet get a budget of so much.
-- lane_id = 1, traces = '{text}'
SELECT trace_id, id
FROM chain
WHERE lane_id = :lane_id AND trace_id = ANY(:traces);

-- release: Held items that their chains have room for again wait in their old places. Returns how many.
-- over = 'text'
WITH RECURSIVE holder(id) AS (
    (
        SELECT held_by
        FROM item
        WHERE held_by IS NOT NULL
        ORDER BY held_by
        LIMIT 1
    )
    UNION ALL
    SELECT next.held_by
    FROM holder
    CROSS JOIN LATERAL (
        SELECT held_by
        FROM item
        WHERE held_by > holder.id
        ORDER BY held_by
        LIMIT 1
    ) next
), holding AS (
    SELECT budget.id, cap_nano, coalesce(sum(spent_nano), 0)::bigint AS spent_nano,
        coalesce(sum(reserved_nano), 0)::bigint AS reserved_nano
    FROM holder
    JOIN budget ON budget.id = holder.id AND chain_id IS NOT NULL
    LEFT JOIN booking ON booking.budget_id = budget.id
    GROUP BY budget.id
)
UPDATE item
SET state = 'waiting', waiting_since = held_since, held_by = NULL, held_since = NULL, held_reason = NULL
WHERE state IN ('held') AND id = ANY(ARRAY(
    SELECT id
    FROM (
        SELECT item.id, cap_nano - spent_nano - holding.reserved_nano AS nano,
            sum(item.reserved_nano) OVER (PARTITION BY held_by ORDER BY held_since, item.id) AS needed
        FROM holding
        JOIN item ON item.held_by = holding.id
        WHERE held_reason = :over
    ) needing
    WHERE needed <= nano
));

-- spent: Held items that have no room beside what their chains have spent already; locked, for the caller to end.
-- limit = 1, over = 'text'
WITH RECURSIVE holder(id) AS (
    (
        SELECT held_by
        FROM item
        WHERE held_by IS NOT NULL
        ORDER BY held_by
        LIMIT 1
    )
    UNION ALL
    SELECT next.held_by
    FROM holder
    CROSS JOIN LATERAL (
        SELECT held_by
        FROM item
        WHERE held_by > holder.id
        ORDER BY held_by
        LIMIT 1
    ) next
), holding AS (
    SELECT budget.id, cap_nano, coalesce(sum(spent_nano), 0)::bigint AS spent_nano,
        coalesce(sum(reserved_nano), 0)::bigint AS reserved_nano
    FROM holder
    JOIN budget ON budget.id = holder.id AND chain_id IS NOT NULL
    LEFT JOIN booking ON booking.budget_id = budget.id
    GROUP BY budget.id
)
SELECT item.id, direct_at IS NOT NULL AS is_direct, held_reason, item.reserved_nano AS needed_nano, cap_nano,
    spent_nano
FROM holding
CROSS JOIN LATERAL (
    -- a limit of its own: the planner would read all items in the order of ids, to find a few that are held
    SELECT id, direct_at, held_reason, reserved_nano
    FROM item
    WHERE held_by = holding.id AND (held_reason <> :over OR item.reserved_nano > cap_nano - spent_nano)
    ORDER BY held_reason, held_since, id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
) item
LIMIT :limit;

