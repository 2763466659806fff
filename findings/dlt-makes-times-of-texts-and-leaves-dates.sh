#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a text that looks like a time with an offset becomes a TIMESTAMP WITH TIME ZONE when it is the first that dlt sees in a column, in UTC; a text that looks like a date stays a text.
# Expected: texts stay texts.
# Source: dlt's documentation, schema: data type autodetectors, iso_timestamp
# Here: workers/overnight_workers/catalogs/cells.py: every cell is text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1 pandas==3.1.1 || exit 2

cd "$folder"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL HOME=$folder TZ=UTC "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys

import dlt

print(f"dlt {dlt.__version__}")
row = {"note": "2026-12-01T10:00:00+02:00", "day": "2026-12-01", "sku": "007"}
pipeline = dlt.pipeline("texts", destination=dlt.destinations.duckdb("texts.duckdb"), dataset_name="d",
                        pipelines_dir=f"{os.getcwd()}/pipelines")
pipeline.run([row], table_name="texts")
with pipeline.sql_client() as client:
    types = [client.execute_sql(f"SELECT typeof({name}), {name}::varchar FROM texts")[0] for name in row]
for (name, text), (kind, kept) in zip(row.items(), types):
    print(f"{name}: {text!r} became {kind}: {kept}")
print("So a column's type depends on the first row, and the offset that was written is gone.")
sys.exit(0 if [kind for kind, _ in types] == ["TIMESTAMP WITH TIME ZONE", "VARCHAR", "VARCHAR"] else 1)
PYTHON
