#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pandera's validate of a polars LazyFrame looks at names and types of columns only: a price of -1 passes a check that refuses it in a DataFrame.
# Expected: the same schema finds the same faults, at the latest when the frame is collected.
# Source: pandera/api/polars/utils.py: get_validation_depth is SCHEMA_ONLY for a LazyFrame; pandera's documentation: Data Validation with Polars
# Here: workers/overnight_workers/catalogs/checking.py and stages/output_schema.py: each answer's values are checked, whatever holds them

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'pandera[polars]==0.35.0' polars==2.1.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import pandera.polars as pandera
import polars

schema = pandera.DataFrameSchema({"price": pandera.Column(float, pandera.Check.ge(0))})
frame = polars.DataFrame({"price": [-1.0]})
print(f"pandera {version('pandera')}, polars {polars.__version__}: price >= 0, the price is -1")
try:
    schema.validate(frame)
    refused = False
except pandera.errors.SchemaError as error:
    refused = True
    print(f"DataFrame: {str(error)[:70]}…")
passed = schema.validate(frame.lazy()).collect()["price"].to_list()
print(f"LazyFrame, collected: {passed}")
print("So a pipeline that becomes lazy to save memory stops checking, and its tests with good rows stay green.")
sys.exit(0 if refused and passed == [-1.0] else 1)
PYTHON
