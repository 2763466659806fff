#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a column of read_csv declared INTEGER gives 007 where the query casts it to VARCHAR and uses it in no other way, and 7 where the query also selects the column itself; a cell that is no integer is no error in the first case.
# Expected: the declared type is applied when the file is read, and the cast works on its value: 7, whatever else the query selects.
# Source: found by running it; EXPLAIN shows a scan without the cast
# Here: workers/overnight_workers/catalogs: every cell is read as VARCHAR, and typed by its own expression

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
path = f"{sys.argv[1]}/rows.csv"
with open(path, "w") as file:
    file.write("n,price\n007,1.10\n")
source = f"read_csv('{path}', columns={{n: 'INTEGER', price: 'DOUBLE'}})"
seen = {}
for selected in ("n::VARCHAR, price::VARCHAR", "n, n::VARCHAR, price, price::VARCHAR"):
    seen[selected] = duckdb.sql(f"SELECT {selected} FROM {source}").fetchall()[0]
    print(f"SELECT {selected}: {seen[selected]}")
with open(path, "w") as file:
    file.write("n,price\nseven,1.10\n")
for selected in ("n::VARCHAR", "n"):
    try:
        seen[selected] = duckdb.sql(f"SELECT {selected} FROM {source}").fetchall()[0]
    except duckdb.Error as error:
        seen[selected] = type(error).__name__
    print(f"the cell is 'seven', SELECT {selected}: {seen[selected]}")
print("So one more column in a SELECT changes the values of another one, and a hash made from casts depends on it.")
held = list(seen.values()) == [("007", "1.10"), (7, "7", 1.1, "1.1"), ("seven",), "ConversionException"]
sys.exit(0 if held else 1)
PYTHON
