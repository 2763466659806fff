#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a file sku;text whose texts all hold two commas is read by DuckDB with the comma: the line with the names is passed over, the first row becomes the names, and texts are cut at commas.
# Expected: the semicolon: each line has one, the first too, and Python's csv.Sniffer finds it.
# Source: DuckDB's documentation: CSV auto detection: the dialect that gives the most columns in the most rows wins
# Here: workers/overnight_workers/catalogs/sources/dialect.py finds the separator, and csv_files.py gives it to DuckDB as delim

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import csv, os, sys

import duckdb

os.chdir(sys.argv[1])
text = "sku;text\n" + "".join(f"A-{n};Red kettle, 2 l, steel\n" for n in range(20))
with open("kettles.csv", "w") as file:
    file.write(text)
print(f"duckdb {duckdb.__version__}\n{text[:36]}…")
((separator,),) = duckdb.sql("SELECT delimiter FROM sniff_csv('kettles.csv')").fetchall()
relation = duckdb.sql("FROM 'kettles.csv'")
columns, rows = relation.columns, relation.fetchall()
print(f"the separator: {separator!r}; columns: {columns}; {len(rows)} rows, the first: {rows[0]}")
print(f"Python's csv.Sniffer: {csv.Sniffer().sniff(text).delimiter!r}")
print("So the first product is lost, and the others have neither a sku nor a whole text; nothing is raised.")
sys.exit(0 if separator == "," and columns[0] == "A-0;Red kettle" and len(rows) == 19 else 1)
PYTHON
