#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fetching 128-bit integers from DuckDB into Python takes tens of times as long as their two 64-bit halves.
# Expected: about as long, since joins, groups and comparisons of them are fast.
# Source: duckdb's Python client: a HUGEINT goes by its decimal text
# Here: workers/overnight_workers/catalogs/memory.py: hashes are fetched as halves

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys, time

import duckdb

print(f"duckdb {duckdb.__version__}")
connection = duckdb.connect(config={"threads": 1})
connection.execute("CREATE TABLE hashes AS SELECT md5_number(range::VARCHAR) AS n FROM range(20000)")
halves = "(n >> 64)::UBIGINT, (n & 18446744073709551615::UHUGEINT)::UBIGINT"


def taken(query: str) -> tuple[float, list]:
    began = time.process_time()
    rows = connection.execute(query).fetchall()
    return time.process_time() - began, rows


whole_s, whole = min(taken("SELECT n FROM hashes") for _ in range(3))
halved_s, halved = min(taken(f"SELECT {halves} FROM hashes") for _ in range(3))
joined_s, _ = min(taken("SELECT count(*) FROM hashes a JOIN hashes b USING (n)") for _ in range(3))
print(f"20,000 as they are: {whole_s * 1000:.0f} ms of a processor")
print(f"20,000 as halves: {halved_s * 1000:.0f} ms")
print(f"joined with themselves: {joined_s * 1000:.0f} ms")
same = [n for (n,) in whole] == [high << 64 | low for high, low in halved]
print("So what is cheap inside DuckDB is the longest part of a night once a program wants to see it.")
sys.exit(0 if same and whole_s > 10 * halved_s and whole_s > 10 * joined_s else 1)
PYTHON
