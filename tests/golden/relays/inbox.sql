-- What ledger/relays/inbox.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- all_aside: How much was put aside: that many messages are taken on again, or given up, where no row is named.
SELECT count(*) AS messages, coalesce(sum(item_count), 0)::bigint AS items, (
    SELECT error
    FROM "overnight_inbox"
    WHERE error IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS why
FROM "overnight_inbox"
WHERE error IS NOT NULL;

-- aside: The first messages that were put aside, a hundred at most.
-- most = 1
SELECT id, message_id, lane, run, item_count,
    extract(epoch FROM clock_timestamp() - enqueued_at)::float AS age_s, error
FROM "overnight_inbox"
WHERE error IS NOT NULL
ORDER BY id
LIMIT :most;

-- aside_messages: The messages that were put aside, of these ids; of all, where none is said.
-- ids = '{1}'
SELECT message_id
FROM "overnight_inbox"
WHERE error IS NOT NULL AND (cardinality(CAST(:ids AS bigint[])) = 0 OR id = ANY(CAST(:ids AS bigint[])))
ORDER BY id;

-- drop_aside: They are given up. Returns how many there were.
-- message_ids = '{00000000-0000-0000-0000-000000000000}'
DELETE FROM "overnight_inbox"
WHERE error IS NOT NULL AND message_id = ANY(CAST(:message_ids AS uuid[]));

-- let_go_on: They are taken again. Returns how many there were.
-- message_ids = '{00000000-0000-0000-0000-000000000000}'
UPDATE "overnight_inbox"
SET error = NULL
WHERE error IS NOT NULL AND message_id = ANY(CAST(:message_ids AS uuid[]));

-- look: How it stands with a table.
-- most = 1
SELECT (
    SELECT count(*)
    FROM (
        SELECT
        FROM "overnight_inbox"
        WHERE error IS NULL
        LIMIT :most
    ) AS counted
) AS waiting, (
    SELECT extract(epoch FROM clock_timestamp() - enqueued_at)::float
    FROM "overnight_inbox"
    WHERE error IS NULL
    ORDER BY id
    LIMIT 1
) AS oldest_s, (
    SELECT count(*)
    FROM (
        SELECT
        FROM "overnight_inbox"
        WHERE error IS NOT NULL
        LIMIT :most
    ) AS counted
) AS aside, (
    SELECT error
    FROM "overnight_inbox"
    WHERE error IS NOT NULL
    ORDER BY id DESC
    LIMIT 1
) AS aside_why;

-- lying: Messages of a lane and a run, or of any where that is None, in their order. after: the last one's id, or 0.
-- after = 1, lane = 'text', limit = 1, run = null
SELECT id, lane, run, encoding, items, error IS NOT NULL AS is_aside
FROM "overnight_inbox"
WHERE id > :after AND (CAST(:lane AS text) IS NULL OR lane = :lane)
    AND (CAST(:run AS text) IS NULL OR run = :run)
ORDER BY id
LIMIT :limit;

-- put_aside: They can't be taken as they are, and stand in nobody's way. why: by id.
-- errors = '{text}', ids = '{1}'
UPDATE "overnight_inbox" AS inbox
SET error = refused.error
FROM unnest(CAST(:ids AS bigint[]), CAST(:errors AS text[])) AS refused(id, error)
WHERE inbox.id = refused.id;

-- remove: The ledger has them.
-- ids = '{1}'
DELETE FROM "overnight_inbox"
WHERE id = ANY(CAST(:ids AS bigint[]));

-- take, 1 of 4: The first messages that no other relay has in hand, locked until this transaction ends.
SELECT id, message_id, v, lane, run, encoding, items, item_count
FROM "overnight_inbox"
WHERE error IS NULL
ORDER BY id
FOR UPDATE SKIP LOCKED;

-- take, 2 of 4: The first messages that no other relay has in hand, locked until this transaction ends.
SET LOCAL enable_bitmapscan = off;

-- take, 3 of 4: The first messages that no other relay has in hand, locked until this transaction ends.
SET LOCAL enable_seqscan = off;

-- take, 4 of 4: The first messages that no other relay has in hand, locked until this transaction ends.
SET LOCAL enable_sort = off;

