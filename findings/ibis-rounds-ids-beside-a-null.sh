#!/usr/bin/env bash
set -euo pipefail
# Behaviour: ibis' execute() on DuckDB gives 9007199254740992 for 9007199254740993 when another row of the column is NULL: the column becomes one of floats; to_pyarrow() keeps it, and DuckDB's own df() too.
# Expected: the number, as an integer that can be missing.
# Source: ibis' documentation: execute gives pandas, to_pyarrow gives Arrow
# Here: workers/overnight_workers/catalogs: every cell is read as text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ibis-framework[duckdb]==12.0.0' duckdb==2.0.1 pandas==3.1.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import duckdb, ibis

query = "SELECT * FROM (VALUES (9007199254740993::bigint), (NULL)) AS row (id)"
print(f"ibis {ibis.__version__}, duckdb {duckdb.__version__}")
backend = ibis.duckdb.connect()
backend.raw_sql(f"CREATE TABLE rows AS {query}")
table = backend.table("rows")
executed = table.execute()
seen = [int(executed.id[0]), table.to_pyarrow()["id"].to_pylist()[0], int(duckdb.sql(query).df().id[0])]
print(f"execute(): {seen[0]}, {executed.id.dtype}")
print(f"to_pyarrow(): {seen[1]}")
print(f"DuckDB's df(): {seen[2]}")
print("So an export has ids that no row has, on the nights on which one is missing.")
sys.exit(0 if seen == [9007199254740992, 9007199254740993, 9007199254740993] else 1)
PYTHON
