#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pyarrow, pandas and DuckDB read a folder of Parquet files with the columns of its first: a column that later files have is not there, and nobody says so.
# Expected: the column, null where a file lacks it, or an error: polars refuses.
# Source: pyarrow's documentation: Tabular Datasets: the schema is inferred from the first file; DuckDB: Combining Schemas
# Here: workers/overnight_workers/catalogs/sources/parquet.py: a source is one file, so that its columns are those that were declared

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 pandas==3.1.1 polars==2.1.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, sys

import duckdb
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet

os.chdir(sys.argv[1])
os.mkdir("days")
pa.parquet.write_table(pa.table({"id": [1]}), "days/1.parquet")
pa.parquet.write_table(pa.table({"id": [2], "allergens": ["milk"]}), "days/2.parquet")
print(f"duckdb {duckdb.__version__}, pyarrow {pa.__version__}, pandas {pandas.__version__}, polars {polars.__version__}")
seen = {
    "pyarrow": pa.parquet.read_table("days").column_names,
    "pandas": list(pandas.read_parquet("days").columns),
    "duckdb": duckdb.read_parquet("days/*.parquet").columns,
}
print("files: 1.parquet has id; 2.parquet has id and allergens")
for name, columns in seen.items():
    print(f"{name}: {columns}")
try:
    columns = polars.scan_parquet("days/*.parquet").collect().columns
except polars.exceptions.SchemaError as error:
    columns = None
    print(f"polars: {type(error).__name__}: {str(error)[:90]}")
print("So an answer's new field is lost for whoever reads the runs of a month together.")
sys.exit(0 if set(map(tuple, seen.values())) == {("id",)} and columns is None else 1)
PYTHON
