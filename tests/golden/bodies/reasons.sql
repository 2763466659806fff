-- What ledger/bodies/reasons.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- count: How many messages have reasons that are encrypted, by the key's id in hex. They are forgotten after 7 days.
SELECT encode(substring(decode(substring(verdict FROM '"encrypted:(.{16})'), 'base64') FROM 5 FOR 8),
    'hex') AS key, count(*) AS n
FROM inbox
WHERE verdict LIKE '%"encrypted:%'
GROUP BY 1;

