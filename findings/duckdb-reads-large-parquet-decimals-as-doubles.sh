#!/usr/bin/env bash
set -euo pipefail
# Behaviour: DuckDB reads a Parquet column of decimals with more than 38 digits as DOUBLE, without a word: values lose half of their digits.
# Expected: an error, since it has no such type, as it gives for a cast to DECIMAL(42,2).
# Source: duckdb.org: Numeric types, DECIMAL has at most 38 digits; parquet_schema() shows the precision
# Here: workers/overnight_workers/catalogs/sources/parquet.py: such a column is refused by name

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - "$folder/paid.parquet" <<'PYTHON'
import sys
from decimal import Decimal

import duckdb
import pyarrow
from pyarrow import parquet

print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}")
value = Decimal("12345678901234567890.12")
for digits in (38, 42):
    type_ = pyarrow.decimal128(digits, 2) if digits <= 38 else pyarrow.decimal256(digits, 2)
    parquet.write_table(pyarrow.table({"paid": pyarrow.array([value], type_)}), sys.argv[1])
    read = duckdb.sql(f"SELECT typeof(paid), paid FROM '{sys.argv[1]}'").fetchall()[0]
    by_arrow = parquet.read_table(sys.argv[1])["paid"][0].as_py()
    print(f"{value} as a decimal of {digits} digits: DuckDB {read}, pyarrow {by_arrow!r}")
    exact = read[1] == value if digits == 38 else exact and read[0] == "DOUBLE" and Decimal(read[1]) != value
try:
    duckdb.sql(f"SELECT '{value}'::DECIMAL(42, 2)")
    refused = "taken"
except duckdb.Error as error:
    refused = str(error).splitlines()[0]
print(f"a cast to DECIMAL(42, 2): {refused}")
print("So a warehouse that writes its sums with room to spare gives keys and prices that are nearly right.")
sys.exit(0 if exact and refused != "taken" else 1)
PYTHON
