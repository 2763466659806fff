#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of one Parquet file in a folder "night=2026-11-30" DuckDB gives the column night as that date, though the file has a column of the name with other values; a CSV with declared columns and auto_detect = false gets one column more.
# Expected: what is in the file, as pyarrow.parquet and polars give for a single path; partitions where a folder is read.
# Source: DuckDB documentation: Hive Partitioning, hive_partitioning is found out by default
# Here: workers/overnight_workers/catalogs/cells.py: one_file

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==1.36.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os, sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}, polars {polars.__version__}")
place = f"{sys.argv[1]}/night=2026-11-30"
os.mkdir(place)
pyarrow.parquet.write_table(pyarrow.table({"id": [1], "night": ["clear"]}), f"{place}/rows.parquet")
with open(f"{place}/rows.csv", "w") as file:
    file.write("id\n1\n")
declared = f"read_csv('{place}/rows.csv', auto_detect = false, header = true, columns = {{id: 'VARCHAR'}})"
seen = {
    "pyarrow": pyarrow.parquet.read_table(f"{place}/rows.parquet").to_pylist()[0]["night"],
    "polars": polars.read_parquet(f"{place}/rows.parquet")["night"][0],
    "DuckDB": str(duckdb.sql(f"SELECT night FROM read_parquet('{place}/rows.parquet')").fetchall()[0][0]),
    "DuckDB, a CSV of one declared column": duckdb.sql(f"FROM {declared}").columns,
}
for name, value in seen.items():
    print(f"{name}: {value}")
print("So where a file lies changes what it says, and moving it changes every row of a table.")
sys.exit(0 if list(seen.values()) == ["clear", "clear", "2026-11-30", ["id", "night"]] else 1)
PYTHON
