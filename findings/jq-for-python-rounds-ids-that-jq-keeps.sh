#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the package jq for Python hands 10000000000000001 through "." as 10000000000000000, also as text(), while jq's own tostring in the same program still has all digits.
# Expected: what jq writes since 1.7: a number that is only passed on keeps its digits.
# Source: jq's manual, numbers: the original literal is kept; jq.pyx makes a Python number of each result before text() writes it
# Here: workers/overnight_workers/catalogs/sources: numbers of a JSONL file are taken by their text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jq==1.10.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json, sys
from importlib.metadata import version

import jq

print(f"jq {version('jq')} of PyPI")
source = '[{"id": 10000000000000001}, {"id": 10000000000000000}]'
ids = jq.compile("map(.id)").input_text(source).text()
texts = jq.compile("map(.id | tostring)").input_text(source).text()
groups = jq.compile("group_by(.id) | length").input_text(source).text()
print(f"map(.id): {ids}")
print(f"map(.id | tostring): {texts}")
print(f"group_by(.id) | length: {groups}")
print("So jq tells two rows apart, and then hands both over under one id.")
sys.exit(0 if len(set(json.loads(ids))) == 1 and len(set(json.loads(texts))) == 2 and groups == "2" else 1)
PYTHON
