#!/usr/bin/env bash
set -euo pipefail
# Behaviour: dlt's write_disposition="merge" without a primary_key appends: after two loads of the same row there are two, and nothing is said.
# Expected: an error: there is nothing to merge by.
# Source: dlt's documentation, incremental loading: merge without a key falls back to append
# Here: workers/overnight_workers/catalogs/sinks/table.py: a table of answers has the catalog's key

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'dlt[duckdb]==1.31.0' duckdb==2.0.1 || exit 2

cd "$folder"
RUNTIME__DLTHUB_TELEMETRY=false RUNTIME__LOG_LEVEL=CRITICAL HOME=$folder "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys

import dlt

print(f"dlt {dlt.__version__}")


def load(name, **key):
    pipeline = dlt.pipeline(name, destination=dlt.destinations.duckdb(f"{name}.duckdb"), dataset_name="d",
                            pipelines_dir=f"{os.getcwd()}/pipelines")
    for price in (5, 6):
        pipeline.run([{"sku": "a", "price": price}], table_name="price", write_disposition="merge", **key)
    with pipeline.sql_client() as client:
        return sorted(client.execute_sql("SELECT sku, price FROM price"))


keyed, keyless = load("with_key", primary_key="sku"), load("without")
print(f"two loads, merge, primary_key='sku': {keyed}")
print(f"two loads, merge, no key: {keyless}")
print("So a table doubles each night until somebody counts it.")
sys.exit(0 if keyed == [("a", 6)] and keyless == [("a", 5), ("a", 6)] else 1)
PYTHON
