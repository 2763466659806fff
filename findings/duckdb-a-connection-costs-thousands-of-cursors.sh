#!/usr/bin/env bash
set -euo pipefail
# Behaviour: duckdb.connect() of a database in memory takes some ten milliseconds of a processor; a cursor of an open connection, which is a connection of its own, a thousandth of that.
# Expected: a database in memory that has nothing in it costs what a SQLite one does, some microseconds.
# Source: duckdb's Python page: DBAPI, cursor() duplicates the connection
# Here: workers/overnight_workers/catalogs: DuckDB reads sources and compares keys

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sqlite3, sys, time

import duckdb

TIMES = 30


def milliseconds(open_one: object) -> float:
    open_one().close()
    began = time.process_time()
    for _ in range(TIMES):
        open_one().close()
    return (time.process_time() - began) / TIMES * 1000


opened = duckdb.connect()
seen = {
    "duckdb.connect()": milliseconds(duckdb.connect),
    "cursor() of an open one": milliseconds(opened.cursor),
    "sqlite3.connect(':memory:')": milliseconds(lambda: sqlite3.connect(":memory:")),
}
print(f"DuckDB {duckdb.__version__}")
for name, taken in seen.items():
    print(f"{name}: {taken:.3f} ms of a processor")
connected, cursor, lite = seen.values()
print(f"So a connection for each small question costs {connected / cursor:,.0f} times a cursor.")
sys.exit(0 if connected > 20 * cursor and connected > 20 * lite else 1)
PYTHON
