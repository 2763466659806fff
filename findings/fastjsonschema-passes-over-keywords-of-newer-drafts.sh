#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a schema that says it is of draft 2020-12 compiles, and its prefixItems, dependentRequired and unevaluatedProperties check nothing; words beside a $ref neither.
# Expected: an error that this draft isn't known, or the checks.
# Source: fastjsonschema's README: drafts 04, 06 and 07; in compile, any other $schema is read as draft 07
# Here: models/overnight_models/wire/judgement.py: answers are checked by a validator of their schema's own draft

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastjsonschema==2.22.3 jsonschema==4.26.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import fastjsonschema
import jsonschema

DRAFT = "https://json-schema.org/draft/2020-12/schema"
cases = {
    "prefixItems": ({"prefixItems": [{"type": "integer"}]}, ["x"]),
    "dependentRequired": ({"dependentRequired": {"price": ["currency"]}}, {"price": 1}),
    "unevaluatedProperties": ({"properties": {"a": {}}, "unevaluatedProperties": False}, {"b": 1}),
    "maxLength beside $ref": ({"$defs": {"t": {"type": "string"}}, "$ref": "#/$defs/t", "maxLength": 1}, "xxx"),
}
print(f"fastjsonschema {version('fastjsonschema')}, jsonschema {version('jsonschema')}")
seen = {}
for name, (schema, value) in cases.items():
    schema = {"$schema": DRAFT, **schema}
    jsonschema.Draft202012Validator.check_schema(schema)
    try:
        fastjsonschema.compile(schema)(value)
        fast = "valid"
    except fastjsonschema.JsonSchemaException as error:
        fast = str(error)
    plain = next(jsonschema.Draft202012Validator(schema).iter_errors(value)).message
    seen[name] = fast
    print(f"{name}: {value!r}\n  fastjsonschema: {fast}\n  jsonschema: {plain}")
print("So the fast validator calls answers valid that their own schema refuses.")
sys.exit(0 if set(seen.values()) == {"valid"} else 1)
PYTHON
