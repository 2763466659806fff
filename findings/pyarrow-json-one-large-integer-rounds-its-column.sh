#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pyarrow.json makes a column of integers a column of doubles when one of them has more than 64 bits or a point: others lose digits.
# Expected: an error, as for a text in the same place, or a decimal.
# Source: Apache Arrow: reading JSON files, automatic type inference; issues about numbers that are promoted
# Here: workers/overnight_workers/catalogs/sources: numbers of a JSONL file are taken by their text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import io, json, sys

import pyarrow
from pyarrow import json as reader

print(f"pyarrow {pyarrow.__version__}")
known = 1_234_567_890_123_456_789
seen = {}
for name, other in {"a small integer": 5, "an integer of 65 bits": 2**64, "a number with a point": 0.5}.items():
    lines = "\n".join(json.dumps({"id": n}) for n in (known, other))
    table = reader.read_json(io.BytesIO(lines.encode()))
    seen[name] = table["id"][0].as_py()
    print(f"{known} beside {name} ({other}): {table.schema.field('id').type}, {seen[name]!r}")
print("So what a key is depends on the other rows of its file: the same row has another hash tonight.")
exact, *rounded = seen.values()
sys.exit(0 if exact == known and all(isinstance(v, float) and int(v) != known for v in rounded) else 1)
PYTHON
