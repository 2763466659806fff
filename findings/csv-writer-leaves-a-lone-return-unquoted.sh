#!/usr/bin/env bash
set -euo pipefail
# Behaviour: csv.writer with lineterminator="\n" does not quote a cell with a lone carriage return, and csv.reader ends the row there: one row comes back as two.
# Expected: QUOTE_MINIMAL quotes what its own reader would take for the end of a line.
# Source: Python documentation: csv.QUOTE_MINIMAL; RFC 4180, rule 6; changed in later versions of Python, as the output says
# Here: workers/overnight_workers/catalogs/sinks: CSV is written by DuckDB, which quotes it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import csv, io, platform, sys

import duckdb

print(f"Python {platform.python_version()}, duckdb {duckdb.__version__}")
row = ["first\rsecond", "third"]
seen = {}
for name, options in {"minimal": {}, "all": {"quoting": csv.QUOTE_ALL}}.items():
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n", **options).writerow(row)
    path = f"{sys.argv[1]}/{name}.csv"
    with open(path, "w", newline="") as file:
        file.write(text.getvalue())
    seen[name] = list(csv.reader(io.StringIO(text.getvalue(), newline="")))
    print(f"{name}: written {text.getvalue()!r}, read back {seen[name]}")
print("So a text with an old line break becomes two rows, without an error from writer or reader.")
if seen["minimal"] == [row] and sys.version_info >= (3, 13):
    print("This Python quotes it.")
    sys.exit(2)
sys.exit(0 if seen == {"minimal": [["first"], ["second", "third"]], "all": [row]} else 1)
PYTHON
