#!/usr/bin/env bash
set -euo pipefail
# Behaviour: read_csv("rows[1].csv") reads rows1.csv when both are there, with no word: a path is a pattern even where a file of exactly that name exists. "q?.csv" alone is read as named.
# Expected: the file of that name, as the shell, Python's open and Explorer take it; a pattern when there is none.
# Source: DuckDB documentation: Reading Multiple Files, globs: brackets; "[[]" stands for a bracket
# Here: workers/overnight_workers/catalogs/cells.py: one_file

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
folder = sys.argv[1]
for name, text in (("rows[1].csv", "named"), ("rows1.csv", "another")):
    with open(f"{folder}/{name}", "w") as file:
        file.write(f"which\n{text}\n")
seen = {}
for name in ("rows[1].csv", "rows[[]1].csv"):
    seen[name] = [row[0] for row in duckdb.sql(f"FROM read_csv('{folder}/{name}')").fetchall()]
    print(f"read_csv('{name}'): {seen[name]}")
print("So the second download of a table, called rows[1].csv, is ignored for the first one.")
sys.exit(0 if list(seen.values()) == [["another"], ["named"]] else 1)
PYTHON
