-- What ledger/direct/claim.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _asked: What those of them ask that are in the claim, in that order.
-- id = 1, ids = '{1}'
SELECT item.id AS item_id, prefix_id, schema_id, shape_id, size, max_tokens
FROM unnest(CAST(:ids AS bigint[]))
WITH ORDINALITY AS taken(id, place)
JOIN direct_call ON direct_call.item_id = taken.id AND claim_id = :id
JOIN item ON item.id = taken.id
ORDER BY taken.place;

-- _begin
-- headers_id = 1, lane_id = 1, lease_s = 1, model_id = 1, owner = 1
INSERT INTO direct_claim(id, batch_number, lane_id, headers_id, model_id, owner,
    lease_until) VALUES (nextval('submission_id_seq'), nextval('batch_id_seq'), :lane_id, :headers_id,
    :model_id, :owner, now() + make_interval(secs => :lease_s))
RETURNING id, batch_number AS number;

-- _being_built: Those whose batch is being written for the API right now: looked at again when it is, or isn't, on its way.
-- ids = '{1}'
UPDATE item
SET direct_at = now() + interval '5 seconds'
WHERE id = ANY(:ids) AND state IN ('batched') AND batch_id NOT IN (
    -- what is locked now doesn't begin to be written before this transaction is over
    SELECT batch.id
    FROM batch
    WHERE batch.id = ANY(ARRAY(
        SELECT batch_id
        FROM item
        WHERE id = ANY(:ids)
    )) AND NOT EXISTS (
        SELECT
        FROM submission
        WHERE batch_id = batch.id AND submission.state = 'claimed'
    )
    FOR SHARE SKIP LOCKED
)
RETURNING id;

-- _is_ours: Whether nobody has taken a claim from its owner, nor does until the transaction ends.
-- id = 1
SELECT id
FROM direct_claim
WHERE id = :id AND done_at IS NULL
FOR SHARE;

-- _lock: Those of them that nobody else has at this moment, in that order.
-- ids = '{1}', most = 1
SELECT id, state, direct_at, size, prefix_id
FROM item
WHERE id = ANY(:ids) AND item.direct_at IS NOT NULL AND item.held_by IS NULL AND item.direct_at <= now()
    AND (item.give_up_at IS NULL OR item.give_up_at > now())
ORDER BY array_position(CAST(:ids AS bigint[]), id)
LIMIT :most
FOR UPDATE SKIP LOCKED;

-- _look_again_later: What is in a batch and over a budget has its batch: it is looked at again in a minute. Returns how many.
-- ids = '{1}'
UPDATE item
SET direct_at = now() + interval '1 minute'
WHERE id = ANY(:ids) AND state IN ('batched') AND direct_at <= now();

-- _move, 1 of 3: Items leave where they were: those that wait, and those whose batch goes on beside. Returns how many are held.
-- claim_id = 1, ids = '{1}', places = '{2026-11-29}'
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, asked.place,
        row_number() OVER (ORDER BY asked.place, id) AS position
    FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked(asked_id, place)
    JOIN item ON item.id = asked.asked_id
), chosen AS (
    SELECT id, place, NULL::bigint AS reserve
    FROM candidate
), moved AS (
    UPDATE item
    SET state = 'direct', direct_at = NULL, waiting_since = NULL
    FROM chosen
    WHERE item.id = chosen.id AND item.id = ANY(CAST(:ids AS bigint[])) AND item.state IN ('waiting')
    RETURNING item.id, lane_id, tenant_id, run_id, chain_id, chosen.reserve AS reserved_nano, chosen.place
), called AS (
    INSERT INTO direct_call(item_id, claim_id, direct_at, reserved_nano)
    SELECT id, :claim_id, place, reserved_nano
    FROM moved
)
SELECT 0::bigint AS held;

-- _move, 2 of 3: Items leave where they were: those that wait, and those whose batch goes on beside. Returns how many are held.
-- claim_id = 1, ids = '{1}', places = '{2026-11-29}'
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, asked.place,
        row_number() OVER (ORDER BY asked.place, id) AS position
    FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked(asked_id, place)
    JOIN item ON item.id = asked.asked_id
), chosen AS (
    SELECT id, place, NULL::bigint AS reserve
    FROM candidate
), moved AS (
    UPDATE item
    SET state = 'racing', direct_at = NULL, waiting_since = NULL
    FROM chosen
    WHERE item.id = chosen.id AND item.id = ANY(CAST(:ids AS bigint[])) AND item.state IN ('batched')
    RETURNING item.id, lane_id, tenant_id, run_id, chain_id, chosen.reserve AS reserved_nano, chosen.place
), called AS (
    INSERT INTO direct_call(item_id, claim_id, direct_at, reserved_nano)
    SELECT id, :claim_id, place, reserved_nano
    FROM moved
)
SELECT 0::bigint AS held;

-- _move, 3 of 3: Items leave where they were: those that wait, and those whose batch goes on beside. Returns how many are held.
-- batch_id = 1, claim_id = 1, ids = '{1}', places = '{2026-11-29}', rate_aboves = '{1}', rate_inputs = '{1}', rate_models = '{1}', rate_outputs = '{1}', rate_shares = '{1.0}', rate_up_tos = '{1}', room_begins = '{text}', room_budgets = '{1}', room_caps = '{1}', room_chains = '{null}', room_lanes = '{1}', room_nanos = '{1}', room_runs = '{null}', room_stricts = '{true}', room_tenants = '{null}', unbounded = 'text'
WITH candidate AS (
    SELECT id, size, max_tokens, model_id, prefix_id, lane_id, tenant_id, run_id, chain_id, asked.place,
        row_number() OVER (ORDER BY asked.place, id) AS position
    FROM unnest(CAST(:ids AS bigint[]), CAST(:places AS timestamptz[])) AS asked(asked_id, place)
    JOIN item ON item.id = asked.asked_id
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
), chosen AS (
    SELECT id, place, reserve
    FROM candidate
    JOIN judged USING (id)
    WHERE held_by IS NULL
), moved AS (
    UPDATE item
    SET state = 'direct', direct_at = NULL, waiting_since = NULL
    FROM chosen
    WHERE item.id = chosen.id AND item.id = ANY(CAST(:ids AS bigint[])) AND item.state IN ('waiting')
    RETURNING item.id, lane_id, tenant_id, run_id, chain_id, chosen.reserve AS reserved_nano, chosen.place
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
), called AS (
    INSERT INTO direct_call(item_id, claim_id, direct_at, reserved_nano)
    SELECT id, :claim_id, place, reserved_nano
    FROM moved
)
SELECT (
    SELECT count(*)
    FROM held
) AS held;

-- authorize_calls: Their bytes are about to be written: from now on they may have been billed.
-- id = 1, ids = '{1}'
WITH ours AS (
    SELECT id
    FROM direct_claim
    WHERE id = :id AND done_at IS NULL
    FOR SHARE
)
UPDATE direct_call
SET let_go_at = clock_timestamp()
FROM ours
WHERE claim_id = ours.id AND item_id = ANY(:ids);

-- close: Their owner takes no more: those of which nothing is under way are done.
-- ids = '{}'
UPDATE direct_claim
SET done_at = clock_timestamp()
WHERE id = ANY(:ids) AND done_at IS NULL AND NOT EXISTS (
    SELECT
    FROM direct_call
    WHERE claim_id = direct_claim.id
);

-- extend: A sign of life from whoever sends them. Returns how many claims are still theirs.
-- ids = '{1}', lease_s = 1, owner = 1
UPDATE direct_claim
SET owner = :owner, lease_until = now() + make_interval(secs => :lease_s)
WHERE id = ANY(:ids) AND done_at IS NULL;

-- give_back: Items that were never sent are again where they were, in their old places; it costs nothing.
-- ids = '{1}'
SELECT id
FROM item
WHERE id = ANY(:ids) AND cancel_wanted AND state = 'waiting'
ORDER BY id;

