#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a polars sink_csv, sink_ndjson or sink_parquet whose query fails midway leaves what it had written under the name that was asked for, and a file that was there before is gone; of the lines a reader can't tell that the rest is missing. DuckDB's COPY leaves nothing, or the old file.
# Expected: both engines write aside and give the file its name when it is whole, as both are used for tables of tomorrow morning.
# Source: polars' page of sinks says nothing of it; DuckDB's page of COPY: USE_TMP_FILE
# Here: workers/overnight_workers/catalogs/sinks/: files are written aside, synced and renamed

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 duckdb==2.0.1 || exit 2

FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os, sys
from pathlib import Path

import duckdb
import polars as pl

print(f"polars {pl.__version__}, DuckDB {duckdb.__version__}")
folder, ROWS, BAD = Path(os.environ["FOLDER"]), 1_000_000, 900_000
number = pl.col("n")
query = pl.LazyFrame({"n": range(ROWS)}).select(
    pl.when(number == BAD).then(pl.lit("no number")).otherwise(number.cast(pl.String)).cast(pl.Int64).alias("n")
)
left = {}
for form in ("csv", "ndjson", "parquet"):
    path = folder / f"polars.{form}"
    path.write_text("last night's\n")
    try:
        getattr(query, f"sink_{form}")(path)
        left[form] = "no error"
    except pl.exceptions.InvalidOperationError:
        left[form] = path.exists() and path.stat().st_size > 1_000
    print(f"polars, {form}: after the error {path.stat().st_size:,} bytes lie under its name")
lines = (folder / "polars.csv").read_bytes().splitlines()
print(f"  of the CSV {len(lines) - 1:,} rows of {ROWS:,}")
path = folder / "duckdb.csv"
path.write_text("last night's\n")
try:
    duckdb.sql(f"COPY (SELECT CASE WHEN n = {BAD} THEN error('stop') ELSE n::VARCHAR END AS n FROM range({ROWS}) t(n)) TO '{path}'")
except duckdb.Error:
    left["duckdb"] = path.read_text()
print(f"DuckDB, csv: after the error {left['duckdb']!r} lies there")
print("So a morning's reader takes half a table for the whole of it.")
sys.exit(0 if [left[form] for form in ("csv", "ndjson", "parquet")] == [True] * 3 and 0 < len(lines) < ROWS and left["duckdb"] == "last night's\n" else 1)
PYTHON
