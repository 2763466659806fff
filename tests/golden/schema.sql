-- What ledger/schema.py executes. Written by: pytest tests/stages/ledger/test_golden_statements.py --write-golden

-- _adopt_version, 1 of 2: The version moves to a table of ours. The old one stays, for workers of the version before.
CREATE TABLE overnight_version(LIKE alembic_version INCLUDING ALL);

-- _adopt_version, 2 of 2: The version moves to a table of ours. The old one stays, for workers of the version before.
INSERT INTO overnight_version
SELECT version_num
FROM alembic_version;

-- _has
-- table = 'text'
SELECT to_regclass(:table) IS NOT NULL;

-- _require_utf8
SELECT current_setting('server_encoding') AS encoding, current_database() AS name;

-- revisions, 1 of 2
SELECT overnight_version.version_num
FROM overnight_version;

-- revisions, 2 of 2
-- nspname_1 = 'text', param_1 = 'text', param_2 = 'text', param_3 = 'text', param_4 = 'text', param_5 = 'text', table_names_1 = 'text'
SELECT pg_catalog.pg_class.relname
FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relname IN (:table_names_1::VARCHAR)
    AND pg_catalog.pg_class.relkind = ANY(ARRAY[:param_1::VARCHAR, :param_2::VARCHAR, :param_3::VARCHAR,
    :param_4::VARCHAR, :param_5::VARCHAR]) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid)
    AND pg_catalog.pg_namespace.nspname != :nspname_1::VARCHAR;

-- server_version: The version of PostgreSQL that the ledger lives in, as "18.1".
SELECT current_setting('server_version_num')::integer;

