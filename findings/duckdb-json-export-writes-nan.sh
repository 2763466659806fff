#!/usr/bin/env bash
set -euo pipefail
# Behaviour: COPY … TO a file (FORMAT json) writes NaN and infinite values as NaN and Infinity, which are no JSON: orjson refuses the lines, DuckDB reads them back.
# Expected: null, as to_json of pandas writes it, or an error.
# Source: RFC 8259, section 6: such values are not permitted; DuckDB documentation: JSON export
# Here: workers/overnight_workers/catalogs/sinks: answers are JSON, which has no NaN; what is read from a table may have it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 orjson==3.11.4 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, sys

import duckdb
import orjson

print(f"duckdb {duckdb.__version__}, orjson {orjson.__version__}")
path = f"{sys.argv[1]}/rows.json"
duckdb.sql(f"COPY (SELECT 'NaN'::DOUBLE AS score, 'Infinity'::DOUBLE AS ratio) TO '{path}' (FORMAT json)")
with open(path) as file:
    line = file.read().strip()
print(f"written: {line}")
readers = {
    "orjson": orjson.loads,
    "json of Python": json.loads,
    "DuckDB": lambda _: duckdb.sql(f"FROM read_json('{path}')").fetchall(),
}
seen = {}
for name, read in readers.items():
    try:
        seen[name] = str(read(line))
    except (ValueError, duckdb.Error) as error:
        seen[name] = type(error).__name__
    print(f"{name}: {seen[name]}")
print("So one score that is no number makes a line of the file unreadable for whoever reads JSON strictly.")
sys.exit(0 if "NaN" in line and seen["orjson"] == "JSONDecodeError" else 1)
PYTHON
