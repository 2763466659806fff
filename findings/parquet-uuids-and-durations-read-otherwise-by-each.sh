#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of one Parquet file by pyarrow, a UUID is sixteen bytes for polars, and a duration is a bare integer of microseconds for DuckDB.
# Expected: UUID is a type of Parquet's own, so all know it; a duration that a reader doesn't know is an error or is named.
# Source: github.com/apache/parquet-format: LogicalTypes, UUID; durations are kept in Arrow's own metadata only
# Here: workers/docs/catalogs.md: Parquet is read by DuckDB

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==2.1.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder/one.parquet" <<'PYTHON'
import sys
from datetime import timedelta
from uuid import UUID

import duckdb
import polars
import pyarrow
from pyarrow import parquet

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}, polars {polars.__version__}")
id_, took = UUID("00112233-4455-6677-8899-aabbccddeeff"), timedelta(seconds=5)
columns = {"id": pyarrow.array([id_.bytes], pyarrow.uuid()), "took": pyarrow.array([took])}
parquet.write_table(pyarrow.table(columns), sys.argv[1])
seen = {
    "pyarrow": tuple(parquet.read_table(sys.argv[1]).to_pylist()[0].values()),
    "duckdb": duckdb.sql(f"SELECT id, took FROM '{sys.argv[1]}'").fetchall()[0],
    "polars": polars.read_parquet(sys.argv[1]).row(0),
}
for name, row in seen.items():
    print(f"{name}: {row}")
print("So a key is another text, and a prompt says 5000000, by which library reads the team's file.")
right = {"pyarrow": (id_, took), "duckdb": (id_, 5_000_000), "polars": (id_.bytes, took)}
sys.exit(0 if seen == right else 1)
PYTHON
