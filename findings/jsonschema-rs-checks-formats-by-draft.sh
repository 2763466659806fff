#!/usr/bin/env bash
set -euo pipefail
# Behaviour: jsonschema-rs checks {"format": "date"} when the schema names draft 7, and does not when it names 2020-12 or no draft; jsonschema never does.
# Expected: one default for a library, whatever draft the schema names.
# Source: docs.rs/jsonschema: should_validate_formats: by draft, unless told; JSON Schema 2020-12: format is an annotation
# Here: workers/overnight_workers/stages/output_schema.py: formats are checked, whatever the schema names

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema==4.26.0 jsonschema-rs==0.60.3 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import jsonschema
import jsonschema_rs

DRAFTS = {
    "no draft": {},
    "draft 7": {"$schema": "http://json-schema.org/draft-07/schema#"},
    "2019-09": {"$schema": "https://json-schema.org/draft/2019-09/schema"},
    "2020-12": {"$schema": "https://json-schema.org/draft/2020-12/schema"},
}
print(f"jsonschema {version('jsonschema')}, jsonschema-rs {version('jsonschema-rs')}")
seen = {}
for name, draft in DRAFTS.items():
    schema = {**draft, "type": "string", "format": "date"}
    by_rs = jsonschema_rs.validator_for(schema).is_valid("next Friday")
    by_python = jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema).is_valid("next Friday")
    seen[name] = (by_rs, by_python)
    print(f'{name}: "next Friday" as a date: jsonschema-rs {"takes" if by_rs else "refuses"} it, jsonschema {"takes" if by_python else "refuses"} it')
told = jsonschema_rs.validator_for({"format": "date"}, validate_formats=True).is_valid("next Friday")
print(f"with validate_formats=True jsonschema-rs {'takes' if told else 'refuses'} it")
print("So adding or changing the line $schema, which says nothing of the data, changes which answers are valid.")
expected = {"no draft": (True, True), "draft 7": (False, True), "2019-09": (True, True), "2020-12": (True, True)}
sys.exit(0 if seen == expected and not told else 1)
PYTHON
