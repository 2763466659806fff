#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the sum of a BIGINT column is HUGEINT, and COPY … TO a Parquet file writes HUGEINT as DOUBLE: 9007199254740993 comes back as 9007199254740992.0, with no warning. The same COPY as JSON keeps it.
# Expected: an integer, or an error, as Parquet has decimals for it: max() of the same column stays BIGINT.
# Source: DuckDB documentation: Numeric Types (HUGEINT), Aggregate Functions (sum)
# Here: workers/overnight_workers/catalogs/sinks: columns that are written have declared types, and none is HUGEINT

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb
import pyarrow.parquet

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}")
path = f"{sys.argv[1]}/sums"
query = "SELECT sum(n) AS total, max(n) AS largest FROM (VALUES (9007199254740993::BIGINT)) AS t (n)"
print(f"in DuckDB: {duckdb.sql(query).fetchall()[0]}, types {duckdb.sql(query).types}")
duckdb.sql(f"COPY ({query}) TO '{path}.parquet'")
duckdb.sql(f"COPY ({query}) TO '{path}.json' (FORMAT json)")
table = pyarrow.parquet.read_table(f"{path}.parquet")
print(f"in Parquet: {table.to_pylist()[0]}, types {[str(field.type) for field in table.schema]}")
with open(f"{path}.json") as file:
    written = file.read().strip()
print(f"in JSON: {written}")
print("So nano-dollars that are added up and stored in Parquet are rounded beyond 2 to the 53rd, without a word.")
held = [str(field.type) for field in table.schema] == ["double", "int64"] and "9007199254740993" in written
sys.exit(0 if held and table.to_pylist() == [{"total": 2.0**53, "largest": 2**53 + 1}] else 1)
PYTHON
