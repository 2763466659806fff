-- What ledger/direct/pauses.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- pause: Nothing is sent to this model of this workspace for a while.
-- model_id = 1, pause_s = 1, why = 'text', workspace = 'text'
INSERT INTO direct_pause(workspace, model_id, not_before, why) VALUES (:workspace, :model_id,
    now() + make_interval(secs => :pause_s), :why)
ON CONFLICT (workspace, model_id) DO UPDATE SET not_before = greatest(direct_pause.not_before,
    excluded.not_before), why = excluded.why, since = CASE
    WHEN direct_pause.not_before < now() - interval '1 minute' THEN now() ELSE direct_pause.since END;

-- waiting_models: Models that nothing is sent to for now, each with its workspace and why, for people.
SELECT model.name || ' of ' || workspace || ': ' || why
FROM direct_pause
JOIN model ON model.id = direct_pause.model_id
WHERE not_before > now()
ORDER BY 1;

