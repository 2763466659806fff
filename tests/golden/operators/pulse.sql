-- What ledger/operators/pulse.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- note_failure: A stage failed for a reason of our own. It counts as failing for so long, or until it fails again.
-- known = null, lasts_s = 1, stage = 'text', why = 'text'
INSERT INTO pulse(stage, failing_since, failing_until, failing_why) VALUES (:stage, now(),
    now() + make_interval(secs => :lasts_s), :why)
ON CONFLICT (stage) DO UPDATE SET failing_since = CASE
    WHEN pulse.failing_until > now() THEN pulse.failing_since ELSE now() END,
    failing_until = greatest(pulse.failing_until, excluded.failing_until), failing_why = CASE
    WHEN starts_with(pulse.failing_why, CAST(:known AS text)) THEN pulse.failing_why
    ELSE excluded.failing_why END;

-- note_run: A stage runs now. Returns why it fails, where it does: whoever succeeds at that says so (`note_success`).
-- stage = 'text'
INSERT INTO pulse(stage, ran_at) VALUES (:stage, now())
ON CONFLICT (stage) DO UPDATE SET ran_at = now()
RETURNING CASE WHEN failing_until > now() THEN failing_why END;

-- note_success: What a stage failed at has gone well: it fails no more, unless it has failed by something else meanwhile.
-- stage = 'text', why = 'text'
UPDATE pulse
SET failing_until = now()
WHERE stage = :stage AND failing_until > now() AND failing_why = :why;

-- note_work, 1 of 2: There is work for these stages, and for no others; said by the sweep.
-- stages = '{text}'
INSERT INTO pulse(stage, work_since)
SELECT stage, now()
FROM unnest(CAST(:stages AS text[])) AS busy(stage)
WHERE stage <> 'overnight.submit' OR NOT EXISTS (
    SELECT
    FROM submission
    WHERE state = 'sending' AND send_by > now()
)
ON CONFLICT (stage) DO UPDATE SET work_since = coalesce(pulse.work_since, now());

-- note_work, 2 of 2: There is work for these stages, and for no others; said by the sweep.
-- stages = '{text}'
UPDATE pulse
SET work_since = NULL
WHERE work_since IS NOT NULL AND (stage <> ALL (CAST(:stages AS text[])) OR stage = 'overnight.submit'
    AND EXISTS (
    SELECT
    FROM submission
    WHERE state = 'sending' AND send_by > now()
));

-- pulses: Every stage that ever ran or had work.
SELECT stage, extract(epoch FROM now() - ran_at)::float AS silent_s,
    extract(epoch FROM now() - work_since)::float AS work_s, CASE
    WHEN failing_until > now() THEN extract(epoch FROM now() - failing_since)::float END AS failing_s,
    CASE WHEN failing_until > now() THEN failing_why END AS failing_why
FROM pulse
ORDER BY stage;

