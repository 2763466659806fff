-- What ledger/rescue.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- doubt_abandoned: Submissions that were let go and whose submitter is dead or out of time: they may have been created.
WITH doubted AS (
    UPDATE submission
    SET state = 'unclear', error = 'its submitter died before it knew the answer'
    WHERE state IN ('claimed', 'sending') AND let_go_at IS NOT NULL
        AND (send_by + interval '1 second' < clock_timestamp() OR (owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
            AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    )))
    RETURNING batch_id
)
UPDATE batch
SET state = 'unclear', changed_at = now(), reason = 'its submitter died before it knew the answer'
FROM doubted
WHERE batch.id = doubted.batch_id AND batch.state IN ('submitting');

-- fold_tally: Add up the tally's changes. Returns how many sums it wrote; those without a change stay as they are.
WITH changed AS MATERIALIZED (
    SELECT noun, lane_id, run_id, headers_id, state
    FROM tally
    GROUP BY noun, lane_id, run_id, headers_id, state
    HAVING count(*) > 1 OR bool_and(n = 0 AND bytes = 0)
), folded AS (
    DELETE FROM tally USING changed
    WHERE tally.lane_id = changed.lane_id AND tally.noun = changed.noun AND tally.state = changed.state
        AND tally.run_id IS NOT DISTINCT FROM changed.run_id
        AND tally.headers_id IS NOT DISTINCT FROM changed.headers_id
    RETURNING tally.noun, tally.lane_id, tally.run_id, tally.headers_id, tally.state, n, bytes
)
INSERT INTO tally(noun, lane_id, run_id, headers_id, state, n, bytes)
SELECT noun, lane_id, run_id, headers_id, state, sum(n), sum(bytes)
FROM folded
GROUP BY noun, lane_id, run_id, headers_id, state
HAVING sum(n) <> 0 OR sum(bytes) <> 0;

-- forget_messages: Accept messages that were answered long ago.
-- days = 1
DELETE FROM inbox
WHERE done_at < now() - make_interval(days => :days) AND received_at < now() - make_interval(days => :days);

-- forget_sightings: Batches at the API that were proven to be a stranger's, or are on a submission, long ago.
-- days = 1
DELETE FROM sighting
WHERE seen_at < now() - make_interval(days => :days) AND ours IS NOT NULL;

-- noted_but_not_open: Submissions whose API id was saved by somebody who died before saying that they are open.
SELECT id
FROM submission
-- two halves: each has an index of its own
WHERE state NOT IN ('void', 'done') AND state IN ('claimed', 'sending', 'unclear', 'lost', 'void')
    AND api_id IS NOT NULL OR state = 'void' AND api_id IS NOT NULL;

-- stages_with_work: The stages that have something to do now, whoever forgot to ring for them.
SELECT EXISTS (
    SELECT
    FROM unmeasured
    WHERE (unmeasured.not_before IS NULL OR unmeasured.not_before <= now()) AND NOT EXISTS (
        SELECT
        FROM unmeasured taken
        WHERE taken.lease_until > now() AND NOT (taken.owner IS NOT NULL AND NOT EXISTS (
            SELECT
            FROM pg_locks
            WHERE locktype = 'advisory' AND classid = 20041 AND objid = taken.owner::bigint::oid
                AND objsubid = 2 AND database = (
                SELECT oid
                FROM pg_database
                WHERE datname = current_database()
            )
        ))
    )
) AS measure, EXISTS (
    SELECT
    FROM tally
    WHERE noun = 'item' AND state = 'waiting'
    GROUP BY lane_id
    HAVING sum(n) > 0
) AS pack, EXISTS (
    SELECT
    FROM batch
    JOIN lane ON lane.id = batch.lane_id
    WHERE lane.paused_at IS NULL AND (batch.state IN ('rejected') OR batch.state IN ('packed')
        AND (not_before IS NULL OR not_before <= now()))
) AS submit, EXISTS (
    SELECT
    FROM submission
    WHERE (state IN ('open', 'lost') AND api_id IS NOT NULL AND ended_at IS NOT NULL OR state = 'void'
        AND api_id IS NOT NULL AND ended_at IS NOT NULL)
        AND (next_read_at IS NULL OR next_read_at <= now())
        AND (lease_until IS NULL OR lease_until <= now() OR (owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
            AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    )))
) AS collect, EXISTS (
    SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
    FROM target
    LEFT JOIN LATERAL (
        SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before
        FROM obstacle
        WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
        GROUP BY broker
    ) obstacle ON true
    WHERE EXISTS (
        SELECT
        FROM delivery
        WHERE state IN ('due') AND due_at <= now() AND delivery.target_id = target.id
    ) AND NOT starts_with(target.broker, 'webhook:')
        AND (obstacle.not_before IS NULL OR obstacle.not_before <= now())
) AS deliver, EXISTS (
    SELECT target.id, target.broker, target.queue, obstacle.broker IS NOT NULL AS obstructed
    FROM target
    LEFT JOIN LATERAL (
        SELECT broker, max(not_before) FILTER (WHERE queue = '') AS not_before
        FROM obstacle
        WHERE obstacle.broker = target.broker AND obstacle.queue IN ('', target.queue)
        GROUP BY broker
    ) obstacle ON true
    WHERE EXISTS (
        SELECT
        FROM delivery
        WHERE state IN ('due') AND due_at <= now() AND delivery.target_id = target.id
    ) AND starts_with(target.broker, 'webhook:')
        AND (obstacle.not_before IS NULL OR obstacle.not_before <= now())
) AS webhooks, EXISTS (
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
            AND item.headers_id = source.headers_id AND item.model_id = source.model_id
            AND deadline IS NOT NULL
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
    )
) AS direct, EXISTS (
    SELECT
    FROM catalog_run
    WHERE ended_at IS NULL AND (state <> 'asking' OR stop_wanted IS NOT NULL)
        AND (owner IS NULL OR (owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
            AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    )))
) OR EXISTS (
    SELECT
    FROM catalog_run
    WHERE finish_at IS NOT NULL AND ended_at IS NULL
        AND (late_looked_at IS NULL OR late_looked_at < now() - interval '1 minute')
) OR EXISTS (
    SELECT
    FROM catalog_report
    WHERE callback IS NOT NULL
) OR EXISTS (
    SELECT
    FROM catalog_schedule
    WHERE next_at <= now() AND paused_at IS NULL
) AS catalogs;

-- void_abandoned, 1 of 2: Submissions that were never let go and whose submitter is dead or out of time: nothing was created.
-- batches = '{1}', own = 'text'
SELECT batch_id, count(*) FILTER (WHERE error = 'its submitter died before its last bytes') AS times,
    (array_agg(substr(error, length(:own) + 1) ORDER BY id DESC) FILTER (WHERE starts_with(error,
    :own))) [1] AS last_error
FROM submission
WHERE batch_id = ANY(:batches) AND state = 'void'
GROUP BY batch_id;

-- void_abandoned, 2 of 2: Submissions that were never let go and whose submitter is dead or out of time: nothing was created.
WITH voided AS (
    UPDATE submission
    SET state = 'void', error = 'its submitter died before its last bytes'
    WHERE state IN ('claimed', 'sending') AND let_go_at IS NULL AND api_id IS NULL AND (coalesce(send_by,
        lease_until) < clock_timestamp() OR (owner IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_locks
        WHERE locktype = 'advisory' AND classid = 20041 AND objid = owner::bigint::oid AND objsubid = 2
            AND database = (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    ))) AND EXISTS (
        SELECT
        FROM deployment
        WHERE home = (
            SELECT system_identifier
            FROM pg_control_system()
        ) || '/' || ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int || '/' || (
            SELECT oid
            FROM pg_database
            WHERE datname = current_database()
        )
    )
    RETURNING batch_id
)
UPDATE batch
SET state = 'packed', changed_at = now(), reason = 'its submitter died before its last bytes'
FROM voided
WHERE batch.id = voided.batch_id AND batch.state IN ('submitting')
RETURNING batch.id;

