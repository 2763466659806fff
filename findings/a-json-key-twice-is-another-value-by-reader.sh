#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of {"price": 1, "price": 2} Python and orjson take 2; polars, and ->> of DuckDB, take 1; read_json of DuckDB and pyarrow refuse the file.
# Expected: the last one everywhere, as in JavaScript, Python and PostgreSQL.
# Source: RFC 8259, section 4: behaviour of software that receives such an object is unpredictable
# Here: workers/overnight_workers/catalogs/sources: JSON Lines

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 pyarrow==26.0.1 polars==1.36.1 orjson==3.11.4 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, sys

import duckdb
import orjson
import polars
import pyarrow.json

line = '{"price": 1, "price": 2}'
path = f"{sys.argv[1]}/rows.jsonl"
with open(path, "w") as file:
    file.write(line + "\n")
print(f"duckdb {duckdb.__version__}, pyarrow {pyarrow.__version__}, polars {polars.__version__}, orjson {orjson.__version__}")
readers = {
    "json of Python": lambda: json.loads(line)["price"],
    "orjson": lambda: orjson.loads(line)["price"],
    "DuckDB ->>": lambda: int(duckdb.sql(f"SELECT '{line}'::JSON ->> 'price'").fetchall()[0][0]),
    "DuckDB read_json": lambda: duckdb.sql(f"SELECT price FROM read_json('{path}')").fetchall()[0][0],
    "polars": lambda: polars.read_ndjson(path)["price"][0],
    "pyarrow": lambda: pyarrow.json.read_json(path)["price"][0].as_py(),
}
seen = {}
for name, read in readers.items():
    try:
        seen[name] = read()
    except Exception as error:
        seen[name] = type(error).__name__
        print(f"  {str(error).splitlines()[0]}")
    print(f"{name}: {seen[name]}")
print("So who looks at a file with one tool and loads it with another can see one price and pay by the other.")
sys.exit(0 if list(seen.values()) == [2, 2, 1, "InvalidInputException", 1, "ArrowInvalid"] else 1)
PYTHON
