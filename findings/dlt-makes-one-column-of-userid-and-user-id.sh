#!/usr/bin/env bash
set -euo pipefail
# Behaviour: dlt loads a row with userId and user_id into one column user_id, in which one of both values stays, and Größe into gr_e; nothing is said.
# Expected: an error, or two columns.
# Source: dlt's documentation, naming convention: snake_case is the default
# Here: workers/overnight_workers/catalogs/declaration.py: columns are named as they are in the file

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1 || exit 2

cd "$folder"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL HOME=$folder "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys

import dlt

print(f"dlt {dlt.__version__}")
row = {"userId": 1, "user_id": 2, "Größe": 3}
pipeline = dlt.pipeline("names", destination=dlt.destinations.duckdb("names.duckdb"), dataset_name="d",
                        pipelines_dir=f"{os.getcwd()}/pipelines")
pipeline.run([row], table_name="rows")
with pipeline.sql_client() as client:
    names = [name for (name,) in client.execute_sql("SELECT column_name FROM information_schema.columns WHERE table_name = 'rows'")]
    names = [name for name in names if not name.startswith("_dlt")]
    kept = dict(zip(names, client.execute_sql(f"SELECT {', '.join(names)} FROM rows")[0]))
print(f"{row} became {kept}")
print("So one of two values is gone.")
sys.exit(0 if kept == {"user_id": 2, "gr_e": 3} else 1)
PYTHON
