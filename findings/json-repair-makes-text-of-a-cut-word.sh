#!/usr/bin/env bash
set -euo pipefail
# Behaviour: json_repair reads a true, false or null that was cut off as a text: 'tru', 'nul'.
# Expected: the field is left out, as pydantic's partial reading does, or the word is completed.
# Source: json_repair's README: what it does with incomplete JSON
# Here: workers/overnight_workers/stages/collect/results.py: an answer that was cut isn't repaired

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check json_repair==0.64.6 pydantic-core==2.50.5 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import json_repair
import pydantic_core

print(f"json_repair {version('json_repair')}, pydantic-core {version('pydantic-core')} with allow_partial")
seen = []
for cut in ('{"a": 1, "open": tru', '{"a": 1, "open": fals', '{"a": 1, "open": nul'):
    repaired, partial = json_repair.loads(cut), pydantic_core.from_json(cut, allow_partial=True)
    seen.append((repaired["open"], "open" in partial))
    print(f"{cut}  json_repair: {repaired}  pydantic: {partial}")
print("So a repaired answer may hold a text where a schema has a boolean, and 'fals' is true to Python.")
sys.exit(0 if seen == [("tru", False), ("fals", False), ("nul", False)] else 1)
PYTHON
