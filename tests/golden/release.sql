-- What ledger/release.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- is_anything_held: Whether any item is held, for whatever reason: mostly none is, and each sweep asks.
SELECT min(held_by)
FROM item
WHERE held_by IS NOT NULL;

-- release, 1 of 2: Items that were held for that and can be read again wait in their old places. Returns how many.
-- groups = '{1}', no_budget = 1, prefixes = '{1}'
UPDATE item
SET state = 'waiting', waiting_since = held_since, held_by = NULL, held_since = NULL, held_reason = NULL
FROM request
WHERE item.state IN ('held') AND held_by = :no_budget AND request.item_id = item.id AND (coalesce(body_group,
    -item_id), coalesce(prefix_id, 0)) IN (
    SELECT *
    FROM unnest(CAST(:groups AS bigint[]), CAST(:prefixes AS integer[]))
);

-- release, 2 of 2: Items that were held for that and can be read again wait in their old places. Returns how many.
-- groups = 1, limit = 1, no_budget = 1
WITH RECURSIVE reason(why) AS (
    (
        SELECT held_reason
        FROM item
        WHERE held_by = :no_budget
        ORDER BY held_reason
        LIMIT 1
    )
    UNION ALL
    SELECT (
        SELECT held_reason
        FROM item
        WHERE held_by = :no_budget AND held_reason > reason.why
        ORDER BY held_reason
        LIMIT 1
    )
    FROM reason
    WHERE why IS NOT NULL
), drawn AS (
    SELECT why
    FROM reason
    WHERE why IS NOT NULL
    ORDER BY random()
    LIMIT :groups
),
-- a moment at which some were held, and a number, both by chance: many are held at one moment
start AS (
    SELECT why, moment.held_since AS since, oldest.id + (random() * (newest.id - oldest.id))::bigint AS id
    FROM drawn
    CROSS JOIN LATERAL (
        SELECT id, held_since
        FROM item
        WHERE held_by = :no_budget AND held_reason = why
        ORDER BY held_since, id
        LIMIT 1
    ) oldest
    CROSS JOIN LATERAL (
        SELECT id, held_since
        FROM item
        WHERE held_by = :no_budget AND held_reason = why
        ORDER BY held_since DESC, id DESC
        LIMIT 1
    ) newest
    CROSS JOIN LATERAL (
        SELECT held_since
        FROM item
        WHERE held_by = :no_budget AND held_reason = why
            AND held_since <= oldest.held_since + random() * (newest.held_since - oldest.held_since)
        ORDER BY held_since DESC
        LIMIT 1
    ) moment
)
SELECT body_group AS id, prefix_id, min(item_id) AS item_id
FROM (
    SELECT item.id AS item_id, coalesce(body_group, -item.id) AS body_group, coalesce(prefix_id,
        0) AS prefix_id
    FROM start
    CROSS JOIN LATERAL (
        (
            SELECT id, prefix_id
            FROM item
            WHERE held_by = :no_budget AND held_reason = start.why
            ORDER BY held_since, id
            LIMIT (
                SELECT :limit / 2 / count(*)
                FROM drawn
            )
        )
        UNION (
            SELECT id, prefix_id
            FROM item
            WHERE held_by = :no_budget AND held_reason = start.why AND (held_since, item.id) >= (start.since,
                start.id)
            ORDER BY held_since, id
            LIMIT (
                SELECT :limit / 2 / count(*)
                FROM drawn
            )
        )
    ) item
    JOIN request ON request.item_id = item.id
) held
GROUP BY body_group, prefix_id
ORDER BY random()
LIMIT :groups;

