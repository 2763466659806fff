#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pandas writes a frame by to_parquet(partition_cols=["shop"]) with one missing shop, into shop=__HIVE_DEFAULT_PARTITION__, and its own read_parquet then refuses the whole folder.
# Expected: the frame comes back, with that row's shop missing; polars and DuckDB read it so.
# Source: pyarrow makes a dictionary of each partition column and can't unify one that has nulls
# Here: workers/overnight_workers/catalogs/sources/parquet.py: a source is one file, named as it is

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 pyarrow==26.0.1 polars==2.1.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys

import pandas, polars, pyarrow

print(f"pandas {pandas.__version__}, pyarrow {pyarrow.__version__}, polars {polars.__version__}")
frame = pandas.DataFrame({"shop": ["de", "fr", None], "stock": [1, 2, 3]})
frame.to_parquet("parted", partition_cols=["shop"])
print(f"folders: {sorted(os.listdir('parted'))}")
try:
    own = f"{len(pandas.read_parquet('parted'))} rows"
except Exception as error:
    own = type(error).__name__
    print(f"pandas.read_parquet: {own}: {error}")
other = polars.read_parquet("parted/**/*.parquet", hive_partitioning=True).sort("stock").to_dicts()
print(f"polars: {other}")
print("So one row without a shop makes a night's export unreadable, and nobody hears of it when it is written.")
sys.exit(0 if own == "ArrowInvalid" and other[-1] == {"shop": None, "stock": 3} else 1)
PYTHON
