-- What ledger/operators/failures.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- end: What a stage failed at has gone well.
-- stage = 'text', what = 'text'
DELETE FROM failure
WHERE stage = :stage AND what = :what;

-- failing: What stages fail at now, by stage, what has failed longest first; what workers of earlier versions said, too.
SELECT stage, what, extract(epoch FROM now() - since)::float AS since_s, why
FROM (
    SELECT stage, what, since, why
    FROM failure
    WHERE until > now()
    UNION ALL
    SELECT stage, '', failing_since, failing_why
    FROM pulse
    WHERE failing_until > now()
) AS known
ORDER BY stage, since, what;

-- forget: What hasn't been tried again is gone. What is tried again within ten minutes has failed since it first did.
DELETE FROM failure
WHERE until < now() - interval '10 minutes';

-- note: A stage failed at something. That counts for so long, or until it fails or succeeds there again.
-- keep_known = true, lasts_s = 1, stage = 'text', what = 'text', why = 'text'
INSERT INTO failure(stage, what, until, why)
SELECT :stage, CAST(:what AS text), now() + make_interval(secs => :lasts_s), :why
WHERE 20 > (
    SELECT count(*)
    FROM failure
    WHERE stage = :stage AND what <> :what AND until > now() AND split_part(what, ' ',
        1) = split_part(CAST(:what AS text), ' ', 1)
)
ON CONFLICT (stage, what) DO UPDATE SET seen_at = now(), until = greatest(failure.until, excluded.until),
    why = CASE WHEN :keep_known THEN failure.why ELSE excluded.why END;

