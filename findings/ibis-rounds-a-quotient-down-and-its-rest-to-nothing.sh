#!/usr/bin/env bash
set -euo pipefail
# Behaviour: on DuckDB ibis gives -4 for -7 // 2 and -1 for -7 % 2, so that the quotient times 2 plus the rest is -9.
# Expected: 1 for the rest, as in Python, or -3 for the quotient, as in SQL.
# Source: ibis' backends: FloorDivide is rounded down, Modulus is the backend's own
# Here: nothing: nothing is counted by negative numbers

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'ibis-framework[duckdb]==12.0.0' duckdb==2.0.1 pandas==3.1.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import duckdb, ibis

print(f"ibis {ibis.__version__}, duckdb {duckdb.__version__}")
number = ibis.literal(-7)
quotient, rest = int((number // 2).execute()), int((number % 2).execute())
print(f"ibis: -7 // 2 = {quotient}, -7 % 2 = {rest}, together {quotient * 2 + rest}")
print(f"Python: {-7 // 2}, {-7 % 2}; DuckDB: {duckdb.sql('SELECT -7 // 2, -7 % 2').fetchall()[0]}")
print("So hours before an hour are counted wrong by whoever parts them with both.")
sys.exit(0 if (quotient, rest) == (-4, -1) else 1)
PYTHON
