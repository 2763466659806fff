#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of quoted texts in JSON Lines pandas makes numbers ("007" is 7), pyarrow timestamps without their offset, DuckDB dates, times and lower-case UUIDs; polars leaves all of them.
# Expected: what stands in quotes is a text, as JSON says; only CSV has to be guessed at.
# Source: pandas.read_json (dtype, convert_dates), Arrow's JSON reader (automatic type inference), DuckDB's read_json (dateformat, auto_detect)
# Here: workers/overnight_workers/catalogs/sources/jsonl.py: JSON Lines are read as texts by a reader of our own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0 pytz || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, sys

import duckdb
import pandas
import polars
import pyarrow
import pyarrow.json

row = {"sku": "007", "day": "2024-01-02", "at": "2024-01-02T03:04:05+02:00", "id": "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"}
path = f"{sys.argv[1]}/rows.jsonl"
with open(path, "w") as file:
    file.write(json.dumps(row) + "\n")
print(f"pandas {pandas.__version__}, pyarrow {pyarrow.__version__}, duckdb {duckdb.__version__}, polars {polars.__version__}")
seen = {
    "pandas": pandas.read_json(path, lines=True).iloc[0].to_dict(),
    "pyarrow": pyarrow.json.read_json(path).to_pylist()[0],
    "duckdb": dict(zip(row, duckdb.sql(f"SELECT * FROM read_json('{path}')").fetchall()[0])),
    "polars": dict(zip(row, polars.read_ndjson(path).row(0))),
}
for name, cells in seen.items():
    print(f"{name}: " + ", ".join(f"{column} {value!s} ({type(value).__name__})" for column, value in cells.items()))
print("So one file has four contents, and an article number loses its zeros although it was quoted.")
kinds = {name: [type(value).__name__ for value in cells.values()] for name, cells in seen.items()}
sys.exit(0 if seen["polars"] == row and int(seen["pandas"]["sku"]) == 7 and str(seen["pyarrow"]["at"]) == "2024-01-02 01:04:05"
         and kinds["duckdb"] == ["str", "date", "datetime", "UUID"] else 1)
PYTHON
