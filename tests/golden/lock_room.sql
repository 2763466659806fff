-- What ledger/lock_room.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- lock_room: As it is now.
SELECT setting.for_each, setting.for_each * (connections.n + prepared.n) AS in_all, 100 + (
    SELECT count(DISTINCT inhrelid) + count(indexrelid)
    FROM pg_inherits
    LEFT JOIN pg_index ON indrelid = inhrelid
    WHERE inhparent IN (to_regclass('item'), to_regclass('request'), to_regclass('outcome'),
        to_regclass('double'), to_regclass('delivery'), to_regclass('request_group'),
        to_regclass('answer_group'))
) AS of_one, (
    SELECT count(*)
    FROM pg_stat_activity
    WHERE datname = current_database()
) AS sessions
FROM (
    SELECT current_setting('max_locks_per_transaction')::bigint
) AS setting(for_each), (
    SELECT current_setting('max_connections')::bigint
) AS connections(n), (
    SELECT current_setting('max_prepared_transactions')::bigint
) AS prepared(n);

