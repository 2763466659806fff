-- What ledger/workspaces.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- hold: Stop sending to a workspace. Returns False when it was held already.
-- name = 'text', reason = 'text', until_resumed = true
UPDATE workspace
SET held_at = now(), held_reason = :reason, holds = holds + 1, held_until_resumed = :until_resumed
WHERE name = :name AND held_at IS NULL;

-- is_well: A create worked: whatever held the workspace before is over.
-- name = 'text'
UPDATE workspace
SET holds = 0
WHERE name = :name AND holds > 0;

-- learn: Remember what the API calls this workspace.
-- id = 'text', name = 'text'
UPDATE workspace
SET api_workspace_id = :id
WHERE name = :name AND api_workspace_id IS DISTINCT FROM :id;

-- note_look: What a look at a workspace's batches found.
-- name = 'text', pause_s = 1.0, unread = null
UPDATE workspace
SET unread_since = CASE WHEN CAST(:unread AS text) IS NOT NULL THEN coalesce(unread_since, now()) END,
    read_at = CASE WHEN CAST(:unread AS text) IS NULL THEN now() ELSE read_at END, unread_why = :unread,
    look_after = now() + make_interval(secs => :pause_s)
WHERE name = :name;

-- release: Send to a held workspace again. Returns False when it wasn't held.
-- name = 'text'
UPDATE workspace
SET held_at = NULL, held_reason = NULL, held_until_resumed = false, not_before = NULL
WHERE name = :name AND held_at IS NOT NULL;

-- slow_down: Send nothing to a workspace for a while.
-- name = 'text', pause_s = 1
UPDATE workspace
SET not_before = greatest(not_before, now() + make_interval(secs => :pause_s))
WHERE name = :name;

-- workspaces: Every workspace that ever had an item.
SELECT name, api_workspace_id, held_reason, extract(epoch FROM now() - held_at)::float AS held_for_s, holds,
    held_until_resumed AS until_resumed, extract(epoch FROM now() - unread_since)::float AS unread_for_s,
    unread_why, coalesce(extract(epoch FROM look_after - now()), 0)::float AS look_in_s, coalesce(queued.n,
    0) AS queued, (
    SELECT min(batch.items)
    FROM batch
    JOIN headers ON headers.id = batch.headers_id
    JOIN lane ON lane.id = batch.lane_id
    WHERE headers.workspace = workspace.name AND batch.state IN ('packed') AND lane.paused_at IS NULL
) AS smallest_packed, extract(epoch FROM now() - read_at)::float AS read_s
FROM workspace
LEFT JOIN (
    SELECT headers.workspace, sum(coalesce(submission.items, batch.items))::bigint AS n
    FROM submission
    JOIN batch ON batch.id = submission.batch_id
    JOIN headers ON headers.id = batch.headers_id
    WHERE submission.state IN ('claimed', 'sending', 'unclear', 'open') AND submission.ended_at IS NULL
    GROUP BY headers.workspace
) queued ON queued.workspace = workspace.name
ORDER BY name;

