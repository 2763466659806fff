#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a text column of "007" and "12" that names the folders of a parted Parquet table comes back as 7 and 12 by pyarrow, pandas and polars, as '007' by DuckDB; one empty key more, and pyarrow gives texts while polars gives numbers and a NULL.
# Expected: the texts that were written, at least by the library that wrote them.
# Source: the documentation of each: the types of Hive partitions are inferred from the folders' names
# Here: workers/overnight_workers/catalogs/sources/parquet.py: a source is one file, named as it is

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 pandas==3.1.1 polars==2.1.0 duckdb==2.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import duckdb, pandas, polars, pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq

for name in ("pyarrow", "pandas", "polars", "duckdb"):
    print(f"{name} {version(name)}", end="; ")
print()
readers = {
    "pyarrow": lambda folder: ds.dataset(folder, partitioning="hive").to_table().sort_by("stock")["sku"].to_pylist(),
    "pandas": lambda folder: pandas.read_parquet(folder).sort_values("stock").sku.tolist(),
    "polars": lambda folder: polars.read_parquet(f"{folder}/**/*.parquet", hive_partitioning=True).sort("stock")["sku"].to_list(),
    "duckdb": lambda folder: [row[0] for row in duckdb.sql(f"SELECT sku FROM read_parquet('{folder}/*/*.parquet') ORDER BY stock").fetchall()],
}
seen = {}
for folder, skus in (("digits", ["007", "12"]), ("and_an_empty_one", ["007", "12", ""])):
    pq.write_to_dataset(pa.table({"sku": skus, "stock": list(range(len(skus)))}), folder, partition_cols=["sku"])
    print(f"written by pyarrow: {skus}")
    for name, read in readers.items():
        seen[folder, name] = read(folder)
        print(f"    {name}: {seen[folder, name]}")
print("So article 007 is article 7 after one night, and a text again when another article has no number.")
right = [[7, 12], [7, 12], [7, 12], ["007", "12"], ["007", "12", ""], ["007", "12", ""], [7, 12, None], ["007", "12", ""]]
sys.exit(0 if list(seen.values()) == right else 1)
PYTHON
