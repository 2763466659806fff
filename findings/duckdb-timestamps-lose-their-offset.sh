#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a text with an offset cast to TIMESTAMP, or read by read_csv as a TIMESTAMP column, keeps its wall clock and loses the offset, without an error: 03:04+02:00 becomes 03:04. TIMESTAMPTZ converts it, and the sniffer chooses that.
# Expected: the moment in UTC, or an error, as a date that does not exist is one.
# Source: DuckDB documentation: Timestamp Types
# Here: workers/overnight_workers/catalogs: every cell is read as text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
text = "2026-01-02T03:04:05+02:00"
path = f"{sys.argv[1]}/rows.csv"
with open(path, "w") as file:
    file.write(f"t\n{text}\n")
asked = {
    "cast to TIMESTAMP": f"SELECT ('{text}'::TIMESTAMP)::VARCHAR",
    "read_csv, column TIMESTAMP": f"SELECT date_trunc('second', t)::VARCHAR FROM read_csv('{path}', columns={{t: 'TIMESTAMP'}})",
    "cast to TIMESTAMPTZ": f"SELECT (timezone('UTC', '{text}'::TIMESTAMPTZ))::VARCHAR",
    "read_csv, type found out": f"SELECT timezone('UTC', t)::VARCHAR FROM read_csv('{path}')",
}
seen = [duckdb.sql(query).fetchall()[0][0] for query in asked.values()]
print(f"the text: {text}")
for what, value in zip(asked, seen, strict=True):
    print(f"{what}: {value}")
print("So a declared type moves a moment by its offset, where a type that is found out doesn't.")
wall, utc = "2026-01-02 03:04:05", "2026-01-02 01:04:05"
sys.exit(0 if seen == [wall, wall, utc, utc] else 1)
PYTHON
