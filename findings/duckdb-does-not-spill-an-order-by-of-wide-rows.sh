#!/usr/bin/env bash
set -euo pipefail
# Behaviour: DuckDB raises OutOfMemoryException for an ORDER BY of rows with texts of some kilobytes at a memory limit at which narrow rows of more bytes in all are sorted by way of the disk.
# Expected: sorting spills: that is what temp_directory is for.
# Source: DuckDB's documentation: larger-than-memory workloads, blocking operators
# Here: workers/overnight_workers/catalogs/opened.py: MEMORY, what DuckDB may keep

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys

import duckdb

print(f"duckdb {duckdb.__version__}, memory_limit 112MB, threads 1, with a temp_directory")
results = []
for name, rows, width in (("narrow", 6_000_000, 0), ("wide", 30_000, 3300)):
    connection = duckdb.connect(config={"memory_limit": "112MB", "temp_directory": f"temp_{name}", "threads": 1})
    text = f"repeat(md5(i::varchar), {width // 32})" if width else "i"
    try:
        query = f"SELECT hash(i) AS key, {text} AS value FROM range({rows}) r (i) ORDER BY key"
        for _ in iter(lambda reader=connection.execute(query): reader.fetchmany(10_000), []):
            pass
        results.append("sorted")
    except duckdb.Error as error:
        results.append(type(error).__name__)
        print(f"    {str(error).splitlines()[0]}")
    connection.close()
    print(f"{rows} {name} rows of {width or 16} bytes: {results[-1]}")
print("So a limit that is right for prices isn't for descriptions.")
sys.exit(0 if results == ["sorted", "OutOfMemoryException"] else 1)
PYTHON
