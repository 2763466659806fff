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

-- _require_schema
SELECT current_schema();

-- migrate, 1 of 5: Bring the database to the newest schema, and make the first partitions. Harmless when it is there.
SET LOCAL statement_timeout = 0;

-- migrate, 2 of 5: Bring the database to the newest schema, and make the first partitions. Harmless when it is there.
select current_schema();

-- migrate, 3 of 5: Bring the database to the newest schema, and make the first partitions. Harmless when it is there.
select pg_catalog.version();

-- migrate, 4 of 5: Bring the database to the newest schema, and make the first partitions. Harmless when it is there.
show standard_conforming_strings;

-- migrate, 5 of 5: Bring the database to the newest schema, and make the first partitions. Harmless when it is there.
show transaction isolation level;

-- require_utf8: Raise WrongEncoding for a database that would change texts.
SELECT current_setting('server_encoding') AS encoding, current_database() AS name;

-- revisions: The schema's revision in this database, and the newest one that this code knows.
SELECT version_num
FROM overnight_version;

-- server_version: The version of PostgreSQL that the ledger lives in, as "18.1".
SELECT current_setting('server_version_num')::integer;

