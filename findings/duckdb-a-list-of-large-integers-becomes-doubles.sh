#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Python list of integers as a parameter is HUGEINT[] when all are below 2**127, UHUGEINT[] when all are above, and DOUBLE[] when there are both: cast to UHUGEINT[], each has lost half of its digits, without an error.
# Expected: UHUGEINT[], which takes all of them and which the statement asks for, or an error.
# Source: found by running it; DuckDB documentation: Numeric Types
# Here: workers/overnight_workers/catalogs/sinks: hashes of 128 bits are passed as halves

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
small, large = 2**100 + 1, 2**127 + 1
connection = duckdb.connect()
seen = {}
for name, numbers in (("small", [small]), ("large", [large]), ("both", [small, large])):
    rows = connection.execute("SELECT typeof($1), unnest($1::UHUGEINT[])", [numbers]).fetchall()
    seen[name] = (rows[0][0], [row[1] for row in rows] == numbers)
    print(f"{name}: {rows[0][0]}, the same numbers: {seen[name][1]}")
print("So a test with one hash passes, and a list of many hashes finds none of its rows.")
sys.exit(0 if seen == {"small": ("HUGEINT[]", True), "large": ("UHUGEINT[]", True), "both": ("DOUBLE[]", False)} else 1)
PYTHON
