#!/usr/bin/env bash
set -euo pipefail
# Behaviour: jiter's partial mode leaves a text out that the end of the input cuts, and keeps a number that it cuts: of 1299 stays 12.
# Expected: what is cut is left out, numbers as well as texts, since nobody knows whether more digits were to come.
# Source: jiter's README: partial_mode "leaves incomplete strings out", numbers aren't named; anthropic's streams use it for the input of tools
# Here: workers/overnight_workers/stages/collect/results.py: an answer that was cut off is never read as JSON

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jiter==0.19.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jiter

print(f"jiter {jiter.__version__}")
whole = b'{"name": "kettle", "price": 1299}'
read = {}
for end in (13, 29, 30, 31, 32):
    cut = whole[:end]
    read[end] = jiter.from_json(cut, partial_mode=True)
    print(f"{cut.decode():36} {read[end]}")
print("So a price that was cut reads as another price, and nothing marks it, while a name that was cut is gone.")
sys.exit(0 if "name" not in read[13] and [read[end]["price"] for end in (29, 30, 31)] == [1, 12, 129] else 1)
PYTHON
