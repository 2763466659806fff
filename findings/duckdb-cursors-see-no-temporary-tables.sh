#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a cursor() of a connection does not see the temporary tables of that connection, nor its SET of a session; ordinary tables of the same in-memory database it sees.
# Expected: what a cursor is elsewhere in the DB-API: another place to read in the same session.
# Source: DuckDB documentation: Python DB API; PEP 249, Cursor Objects
# Here: workers/overnight_workers/catalogs: the difference of two nights is made on one connection

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
connection = duckdb.connect()
connection.execute("CREATE TABLE ordinary AS SELECT 1 AS n")
connection.execute("CREATE TEMP TABLE temporary AS SELECT 1 AS n")
connection.execute("SET SESSION search_path = 'information_schema'")
seen = {}
for table in ("ordinary", "temporary"):
    try:
        seen[table] = connection.cursor().execute(f"SELECT n FROM {table}").fetchall()
    except duckdb.Error as error:
        seen[table] = type(error).__name__
    print(f"a cursor reads the {table} table: {seen[table]}")
for name, place in {"connection": connection, "cursor": connection.cursor()}.items():
    seen[name] = place.execute("SELECT current_setting('search_path')").fetchall()[0][0]
    print(f"search_path of the {name}: {seen[name]!r}")
print("So cursor() is a second connection: for threads it is right, for a second result in one session it isn't.")
held = seen["ordinary"] == [(1,)] and seen["temporary"] == "CatalogException" and seen["cursor"] != seen["connection"]
sys.exit(0 if held else 1)
PYTHON
