#!/usr/bin/env bash
set -euo pipefail
# Behaviour: outlines_core makes a pattern of a JSON Schema that takes 700 for a maximum of 10 and 0.3 for a multipleOf 0.5, and for date-time neither an offset nor a fraction of a second.
# Expected: an error for keywords that it doesn't keep; each date-time of RFC 3339.
# Source: outlines-core's json_schema/parsing.rs: keywords that are read; json_schema/types.rs: the pattern of date-time
# Here: workers/overnight_workers/stages/output_schema.py: answers are checked by the whole schema

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check outlines-core==0.2.14 jsonschema==4.26.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json, re, sys
from importlib.metadata import version

import jsonschema
from outlines_core import json_schema

print(f"outlines-core {version('outlines-core')}")
cases = [
    ({"type": "integer", "minimum": 5, "maximum": 10}, "700"),
    ({"type": "number", "multipleOf": 0.5}, "0.3"),
    ({"type": "string", "format": "date-time"}, '"2026-12-01T10:00:00Z"'),
    ({"type": "string", "format": "date-time"}, '"2026-12-01T10:00:00+02:00"'),
    ({"type": "string", "format": "date-time"}, '"2026-12-01T10:00:00.5Z"'),
]
seen = []
for schema, text in cases:
    by_pattern = re.fullmatch(json_schema.build_regex_from_schema(json.dumps(schema)), text) is not None
    by_schema = jsonschema.Draft202012Validator(schema).is_valid(json.loads(text))
    seen.append((by_pattern, by_schema))
    print(f"{json.dumps(schema)}, {text}: pattern {by_pattern}, jsonschema {by_schema}")
print("So an answer that was held to its schema while it was written must still be checked by it.")
sys.exit(0 if seen == [(True, False), (True, False), (True, True), (False, True), (False, True)] else 1)
PYTHON
