#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pq.read_table and pandas.read_parquet refuse a folder that polars' write_parquet parted by a column of text: polars keeps the column in the files as large_string too, and pyarrow makes a dictionary of the folder's name, which doesn't go together.
# Expected: a table, as of a folder that pyarrow, pandas or DuckDB has parted.
# Source: pyarrow's documentation: reading partitioned data; polars' documentation of write_parquet: partition_by
# Here: workers/overnight_workers/catalogs/sources/parquet.py: a source is one file, named as it is

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 pyarrow==26.0.1 pandas==3.1.1 duckdb==2.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import duckdb, pandas, polars, pyarrow as pa, pyarrow.parquet as pq

for name in ("polars", "pyarrow", "pandas", "duckdb"):
    print(f"{name} {version(name)}", end="; ")
print()
rows = pa.table({"shop": ["de", "fr"], "stock": [1, 2]})
polars.from_arrow(rows).write_parquet("by_polars", partition_by="shop")
pq.write_to_dataset(rows, "by_pyarrow", partition_cols=["shop"])
readers = {
    "pyarrow": lambda folder: pq.read_table(folder).num_rows,
    "pandas": lambda folder: len(pandas.read_parquet(folder)),
    "polars": lambda folder: polars.read_parquet(f"{folder}/**/*.parquet").height,
    "duckdb": lambda folder: len(duckdb.sql(f"FROM read_parquet('{folder}/*/*.parquet')").fetchall()),
}
refused = []
for folder in ("by_pyarrow", "by_polars"):
    for name, read in readers.items():
        try:
            result = f"{read(folder)} rows"
        except Exception as error:
            result = f"{type(error).__name__}: {error}"
            refused.append((folder, name))
        print(f"{folder} read by {name}: {result}")
print("So a folder that one team writes can't be opened by another's most usual call.")
sys.exit(0 if refused == [("by_polars", "pyarrow"), ("by_polars", "pandas")] else 1)
PYTHON
