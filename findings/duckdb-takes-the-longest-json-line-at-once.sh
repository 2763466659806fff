#!/usr/bin/env bash
set -euo pipefail
# Behaviour: read_json with maximum_object_size = 128 MiB takes a buffer of twice that before it reads: under a memory limit of 160 MB a file of eight lines of 8 bytes is an OutOfMemoryException.
# Expected: a maximum is a limit; memory grows with the lines that come.
# Source: DuckDB documentation: Loading JSON, maximum_object_size; the error text
# Here: workers/overnight_workers/catalogs: how JSON Lines are read in flat memory

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}")
path = f"{sys.argv[1]}/rows.jsonl"
with open(path, "w") as file:
    file.write('{"a":1}\n' * 8)
seen = {}
for megabytes in (1, 16, 128):
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '160MB'")
    query = f"SELECT count(*) FROM read_json('{path}', maximum_object_size = {megabytes << 20})"
    try:
        seen[megabytes] = connection.execute(query).fetchall()[0][0]
    except duckdb.OutOfMemoryException as error:
        seen[megabytes] = type(error).__name__
        print(str(error).splitlines()[0])
    print(f"maximum_object_size of {megabytes} MiB: {seen[megabytes]}")
print("So room for one long line is paid by every file, long lines or not.")
sys.exit(0 if seen == {1: 8, 16: 8, 128: "OutOfMemoryException"} else 1)
PYTHON
