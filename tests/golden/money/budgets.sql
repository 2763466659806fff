-- What ledger/money/budgets.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _add, 1 of 4: A new budget's id. Waits until nobody packs or records.
-- cap_nano = 1, number = 1, period = 'text', strict = true
INSERT INTO budget(lane_id, period, cap_nano, strict) VALUES (:number, :period, :cap_nano,
    coalesce(CAST(:strict AS boolean), true))
RETURNING id;

-- _add, 2 of 4: A new budget's id. Waits until nobody packs or records.
-- cap_nano = 1, number = 1, period = 'text', strict = true
INSERT INTO budget(run_id, period, cap_nano, strict) VALUES (:number, :period, :cap_nano,
    coalesce(CAST(:strict AS boolean), true))
RETURNING id;

-- _add, 3 of 4: A new budget's id. Waits until nobody packs or records.
LOCK TABLE budget IN ACCESS EXCLUSIVE MODE;

-- _add, 4 of 4: A new budget's id. Waits until nobody packs or records.
SET LOCAL lock_timeout = '30s';

-- _held: What each budget holds, by why.
SELECT held_by, held_reason, count(*) AS n, extract(epoch FROM now() - min(held_since))::float AS waits_s
FROM item
WHERE held_by IS NOT NULL
GROUP BY held_by, held_reason;

-- _hold_alone: Items that are held and don't fit under the new cap by themselves say so.
-- alone = 'text', cap_nano = 1, id = 1, over = 'text'
UPDATE item
SET held_reason = :alone
WHERE held_by = :id AND held_reason = :over AND reserved_nano > :cap_nano;

-- _release, 1 of 3: Items that a budget holds wait again.
-- alone = 'text', budget_id = 1, cap_nano = 1, no_bound = 'text', no_price = 'text', priced = '{text}', strict = true
UPDATE item
SET state = 'waiting', waiting_since = held_since, held_by = NULL, held_since = NULL, held_reason = NULL
WHERE state IN ('held') AND held_by = :budget_id AND (held_reason = :no_bound
    AND NOT :strict OR held_reason = :alone AND reserved_nano <= :cap_nano OR held_reason = :no_price
    AND model_id IN (
    SELECT id
    FROM model
    WHERE name = ANY(CAST(:priced AS text[]))
));

-- _release, 2 of 3: Items that a budget holds wait again.
-- budget_id = 1, limit = 1, nano = 1, over = 'text'
UPDATE item
SET state = 'waiting', waiting_since = held_since, held_by = NULL, held_since = NULL, held_reason = NULL
WHERE state IN ('held') AND held_by = :budget_id AND id = ANY(ARRAY(
    SELECT id
    FROM (
        SELECT id, sum(reserved_nano) OVER (ORDER BY held_since, id) AS needed
        FROM (
            SELECT id, held_since, reserved_nano
            FROM item
            WHERE held_by = :budget_id AND held_reason = :over
            ORDER BY held_since, id
            LIMIT :limit
        ) oldest
    ) needing
    WHERE needed <= :nano
));

-- _release, 3 of 3: Items that a budget holds wait again.
-- budget_id = 1
UPDATE item
SET state = 'waiting', waiting_since = held_since, held_by = NULL, held_since = NULL, held_reason = NULL
WHERE state IN ('held') AND held_by = :budget_id AND true;

-- budgets: Every budget that somebody has set; those of chains are their lanes'.
-- alone = 'text'
SELECT budget.id, coalesce(lane.name, tenant.name, run.name) AS name, coalesce('lane ' || lane.name,
    'tenant ' || tenant.name, 'run ' || run.name, 'trace ' || chain.trace_id) || CASE period
    WHEN 'all' THEN ', in all' ELSE ', a ' || period END AS title, period, strict, cap_nano, (
    SELECT max(reserved_nano)
    FROM item
    WHERE held_by = budget.id AND held_reason = :alone AND reserved_nano > cap_nano
) AS alone_nano, CASE WHEN run_id IS NOT NULL THEN 'run' WHEN tenant_id IS NOT NULL THEN 'tenant'
    ELSE 'lane' END AS of, coalesce(booked.spent, 0)::bigint AS spent_nano, coalesce(booked.reserved,
    0)::bigint AS reserved_nano, CASE WHEN period <> 'all' THEN extract(epoch FROM CASE budget.period
    WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END + ('1 ' || period)::interval - now() AT TIME ZONE 'UTC')::float END AS ends_s
FROM budget
LEFT JOIN lane ON lane.id = budget.lane_id
LEFT JOIN tenant ON tenant.id = budget.tenant_id
LEFT JOIN run ON run.id = budget.run_id
LEFT JOIN chain ON chain.id = budget.chain_id
LEFT JOIN LATERAL (
    SELECT sum(spent_nano) AS spent, sum(reserved_nano) AS reserved
    FROM booking
    WHERE budget_id = budget.id AND begins = CASE budget.period WHEN 'all' THEN date 'epoch'
        ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END
) booked ON true
WHERE budget.chain_id IS NULL
ORDER BY lane.name, tenant.name, run.name, period;

-- needed: What is needed for all that a budget holds. It reads each of those items.
-- budget_id = 1
SELECT coalesce(sum(reserved_nano), 0)::bigint AS nano, count(*) - count(reserved_nano) AS unbounded
FROM item
WHERE held_by = :budget_id;

-- release_held: Let go of what budgets have room for again, the oldest first: it waits in its old place. Returns how many.
SELECT budget.id, (budget.cap_nano - coalesce(
    (
        SELECT sum(reserved_nano + spent_nano)
        FROM booking
        WHERE budget_id = budget.id AND begins = CASE budget.period WHEN 'all' THEN date 'epoch'
            ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END
    ), 0
))::bigint AS nano, cap_nano, strict
FROM budget
WHERE chain_id IS NULL AND EXISTS (
    SELECT
    FROM item
    WHERE held_by = budget.id
);

-- remove_budget: There is no such budget any more; what it held waits again. Returns False when there was none.
-- number = 1, period = 'text'
DELETE FROM budget
WHERE lane_id = :number AND period = :period
RETURNING id;

-- set_budget, 1 of 4: Set a budget, or change it. strict: None leaves what is there; a new one is strict.
-- id = 1, number = 1
INSERT INTO booking(budget_id, begins, spent_nano)
SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END, sum(spending.cost_nano)
FROM budget
JOIN spending ON spending.at >= CASE budget.period WHEN 'all' THEN date 'epoch'
    ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END AND spending.lane_id = :number
WHERE budget.id = :id
GROUP BY budget.id;

-- set_budget, 2 of 4: Set a budget, or change it. strict: None leaves what is there; a new one is strict.
-- id = 1, number = 1
INSERT INTO booking(budget_id, begins, spent_nano)
SELECT budget.id, CASE budget.period WHEN 'all' THEN date 'epoch' ELSE date_trunc(budget.period,
    now() AT TIME ZONE 'UTC')::date END, sum(spending.cost_nano)
FROM budget
JOIN spending ON spending.at >= CASE budget.period WHEN 'all' THEN date 'epoch'
    ELSE date_trunc(budget.period, now() AT TIME ZONE 'UTC')::date END AND spending.run_id = :number
WHERE budget.id = :id
GROUP BY budget.id;

-- set_budget, 3 of 4: Set a budget, or change it. strict: None leaves what is there; a new one is strict.
-- cap_nano = 1, number = 1, period = 'text', strict = true
UPDATE budget
SET cap_nano = :cap_nano, strict = coalesce(CAST(:strict AS boolean), strict)
WHERE lane_id = :number AND period = :period
RETURNING id;

-- set_budget, 4 of 4: Set a budget, or change it. strict: None leaves what is there; a new one is strict.
-- cap_nano = 1, number = 1, period = 'text', strict = true
UPDATE budget
SET cap_nano = :cap_nano, strict = coalesce(CAST(:strict AS boolean), strict)
WHERE run_id = :number AND period = :period
RETURNING id;

