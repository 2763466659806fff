#!/usr/bin/env bash
set -euo pipefail
# Behaviour: COPY … TO a CSV writes an empty text as "" and null as nothing, so that they differ; read_csv makes both null, unless allow_quoted_nulls = false is given.
# Expected: what it writes with care for the difference it reads with it, as COPY of PostgreSQL does.
# Source: DuckDB documentation: CSV import, allow_quoted_nulls; PostgreSQL documentation: COPY, CSV format
# Here: workers/overnight_workers/catalogs/sinks/stored.py: a sink is read again each night

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
path = f"{sys.argv[1]}/texts.csv"
duckdb.sql(f"COPY (SELECT * FROM (VALUES (1, NULL), (2, '')) AS t (n, text)) TO '{path}'")
with open(path) as file:
    print(f"written: {file.read()!r}")
seen = {}
for options in ("", ", allow_quoted_nulls = false"):
    seen[options] = duckdb.sql(f"FROM read_csv('{path}'{options})").fetchall()
    print(f"read_csv(…{options}): {seen[options]}")
print("So a table that goes through a CSV of DuckDB's own comes back with nulls where empty texts were.")
sys.exit(0 if list(seen.values()) == [[(1, None), (2, None)], [(1, None), (2, "")]] else 1)
PYTHON
