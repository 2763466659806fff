#!/usr/bin/env bash
set -euo pipefail
# Behaviour: transform_schema ends with an AssertionError ("unreachable") for {"type": ["string", "null"]}, which is valid JSON Schema.
# Expected: the type is taken as anyOf, or an error that says what to write.
# Source: anthropic/lib/_parse/_transform.py: types are matched one word at a time
# Here: producers/overnight_producers/structured.py: a list of types becomes anyOf

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from anthropic import transform_schema

schema = {"type": "object", "properties": {"city": {"type": ["string", "null"]}}, "required": ["city"]}
print(f"anthropic {version('anthropic')}\n{schema['properties']}")
try:
    seen = str(transform_schema(schema))
except AssertionError as error:
    seen = f"AssertionError: {error}"
print(f"  -> {seen}")
print("So the common way to say 'a text or null' needs to be rewritten by hand.")
sys.exit(0 if seen.startswith("AssertionError") and "unreachable" in seen else 1)
PYTHON
