#!/usr/bin/env bash
set -euo pipefail
# Behaviour: polars.read_ndjson takes its columns from the first 100 lines; a key that comes later is left out without a word, as in structs.
# Expected: an error, as it gives for a later value of another type, or a column of nulls.
# Source: polars' reference: read_ndjson(infer_schema_length=100)
# Here: workers/overnight_workers/catalogs/sources: JSONL is read by DuckDB with the columns that the declaration names

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys

import polars

print(f"polars {polars.__version__}")


def read(late: dict) -> object:
    lines = [json.dumps({"id": n, "size": {"w": 1}}) for n in range(150)] + [json.dumps(late)]
    try:
        return polars.read_ndjson("\n".join(lines).encode()).row(-1, named=True)
    except polars.exceptions.PolarsError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"


late = {
    "a new key": {"id": 150, "size": {"w": 1}, "colour": "red"},
    "a new key in a struct": {"id": 150, "size": {"w": 1, "h": 2}},
    "another type": {"id": "x150", "size": {"w": 1}},
}
seen = {}
for name, row in late.items():
    seen[name] = read(row)
    print(f"{name} in line 151: {row}\n    read as {seen[name]}")
print("So a column that few early rows have is lost, and a run over the file asks without it.")
kept = {"id": 150, "size": {"w": 1}}
right = seen["a new key"] == kept and seen["a new key in a struct"] == kept and isinstance(seen["another type"], str)
sys.exit(0 if right else 1)
PYTHON
