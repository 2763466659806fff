#!/usr/bin/env bash
set -euo pipefail
# Behaviour: once dlt has seen whole numbers in a column, 7.5 goes into a second column price__v_double and price stays NULL there; a sum of price leaves it out.
# Expected: an error, or the column becomes one of doubles.
# Source: dlt's documentation, schema: variant columns
# Here: workers/overnight_workers/catalogs/cells.py: every cell is text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1 pandas==3.1.1 || exit 2

cd "$folder"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL HOME=$folder "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys

import dlt

print(f"dlt {dlt.__version__}")
pipeline = dlt.pipeline("prices", destination=dlt.destinations.duckdb("prices.duckdb"), dataset_name="d",
                        pipelines_dir=f"{os.getcwd()}/pipelines")
for price in (5, 6.0, 7.5):
    pipeline.run([{"price": price}], table_name="prices")
    print(f"loaded: {price}")
with pipeline.sql_client() as client:
    rows = client.execute_sql("SELECT price, price__v_double FROM prices ORDER BY 1, 2")
    total = client.execute_sql("SELECT sum(price) FROM prices")[0][0]
print(f"price, price__v_double: {rows}; sum(price): {total}")
print("So a bill that is summed by the column's name is short by each price that isn't whole.")
sys.exit(0 if rows == [(5, None), (6, None), (None, 7.5)] and total == 11 else 1)
PYTHON
