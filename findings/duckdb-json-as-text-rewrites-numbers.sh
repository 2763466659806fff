#!/usr/bin/env bash
set -euo pipefail
# Behaviour: read_json with every column declared VARCHAR (or JSON) writes numbers anew: 1.10 comes as 1.1 and 1e2 as 100.0, inside objects too, while an integer of 23 digits stays as it is.
# Expected: with no type asked for but text, the characters of the file, as read_csv(all_varchar) gives them; read_json_objects does give them.
# Source: DuckDB's documentation: JSON loading, read_json's columns
# Here: catalogs read JSON Lines: a row must have the same text as in a CSV

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
line = '{"price":1.10,"many":1e2,"id":12345678901234567890123,"more":{"price":1.10}}'
path = f"{sys.argv[1]}/rows.jsonl"
with open(path, "w") as file:
    file.write(line + "\n")
columns = "{price:'VARCHAR',many:'VARCHAR',id:'VARCHAR',more:'VARCHAR'}"
(text,) = duckdb.sql(f"SELECT * FROM read_json('{path}', columns={columns})").fetchall()
(value,) = duckdb.sql(f"SELECT * FROM read_json('{path}', columns={columns.replace('VARCHAR', 'JSON')})").fetchall()
((whole,),) = duckdb.sql(f"SELECT json::VARCHAR FROM read_json_objects('{path}')").fetchall()
print(f"the line:            {line}")
print(f"columns as VARCHAR:  {text}")
print(f"columns as JSON:     {value}")
print(f"read_json_objects:   {whole}")
print("So a row that comes from JSON Lines has other texts, and another hash, than the same row of a CSV.")
held = text == value == ("1.1", "100.0", "12345678901234567890123", '{"price":1.1}') and whole == line
sys.exit(0 if held else 1)
PYTHON
