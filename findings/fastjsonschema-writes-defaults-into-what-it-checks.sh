#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a check by fastjsonschema puts the schema's defaults into the object that it checks; jsonschema changes nothing.
# Expected: a validator says yes or no, and the answer stays what the model wrote.
# Source: fastjsonschema's documentation of compile: use_default, which is True unless one says otherwise
# Here: models/overnight_models/wire/judgement.py: what is delivered is the answer as it came

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastjsonschema==2.22.3 jsonschema==4.26.0 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import fastjsonschema
import jsonschema

schema = {"type": "object", "properties": {"color": {"type": "string", "default": "unknown"}}}
print(f"fastjsonschema {version('fastjsonschema')}, jsonschema {version('jsonschema')}")
by_fast, by_plain, told = {}, {}, {}
fastjsonschema.compile(schema)(by_fast)
jsonschema.validate(by_plain, schema)
fastjsonschema.compile(schema, use_default=False)(told)
print(f"{{}} after fastjsonschema: {by_fast}\n{{}} after jsonschema: {by_plain}\n{{}} after fastjsonschema with use_default=False: {told}")
print("So an answer without a color is stored as one that said unknown: what the model left out is a fact that nobody wrote.")
sys.exit(0 if (by_fast, by_plain, told) == ({"color": "unknown"}, {}, {}) else 1)
PYTHON
