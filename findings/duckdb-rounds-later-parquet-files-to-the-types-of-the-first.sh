#!/usr/bin/env bash
set -euo pipefail
# Behaviour: DuckDB reads several Parquet files as the first one's types: prices of 1.5 and 2.5 in a later file become 2 and 2, without a word, if the first happened to hold integers.
# Expected: an error, as polars and pyarrow raise, or the wider type.
# Source: DuckDB's documentation: Combining Schemas: without union_by_name the schema is the first file's; its casts round
# Here: workers/overnight_workers/catalogs/sources/parquet.py: a source is one file, named as it is

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, sys

import duckdb
import polars
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet

os.chdir(sys.argv[1])
pa.parquet.write_table(pa.table({"price": [1, 2]}), "monday.parquet")
pa.parquet.write_table(pa.table({"price": [1.5, 2.5]}), "tuesday.parquet")
files = ["monday.parquet", "tuesday.parquet"]
print(f"duckdb {duckdb.__version__}, pyarrow {pa.__version__}, polars {polars.__version__}")
duck = [row[0] for row in duckdb.sql(f"FROM read_parquet({files})").fetchall()]
by_name = [row[0] for row in duckdb.sql(f"FROM read_parquet({files}, union_by_name = true)").fetchall()]
print(f"monday: 1, 2; tuesday: 1.5, 2.5; DuckDB reads {duck}, with union_by_name {by_name}")
refused = []
for name, read in [
    ("pyarrow", lambda: pa.dataset.dataset(files).to_table()),
    ("polars", lambda: polars.scan_parquet(files).collect()),
]:
    try:
        print(f"{name}: {read()}")
    except Exception as error:  # each has a kind of its own
        refused.append(name)
        print(f"{name}: {type(error).__name__}: {error}")
print("So totals over a folder of exports depend on which file comes first, and no error says so.")
sys.exit(0 if duck == [1, 2, 2, 2] and by_name == [1, 2, 1.5, 2.5] and refused == ["pyarrow", "polars"] else 1)
PYTHON
