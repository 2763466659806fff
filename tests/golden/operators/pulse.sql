-- What ledger/operators/pulse.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- note_run: A stage runs now. Returns what it fails at: whoever succeeds at one of these says so (`failures.end`).
-- stage = 'text'
INSERT INTO pulse(stage, ran_at) VALUES (:stage, now())
ON CONFLICT (stage) DO UPDATE SET ran_at = now()
RETURNING ARRAY(
    SELECT what
    FROM failure
    WHERE failure.stage = pulse.stage
);

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
    extract(epoch FROM now() - work_since)::float AS work_s
FROM pulse
ORDER BY stage;

