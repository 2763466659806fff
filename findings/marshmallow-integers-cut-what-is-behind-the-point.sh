#!/usr/bin/env bash
set -euo pipefail
# Behaviour: marshmallow's Integer takes 1.9 as 1 and "1_000" as 1000, though its Boolean refuses 2 and its String refuses 5.
# Expected: "Not a valid integer", as pydantic says for 1.9.
# Source: marshmallow/fields.py: Integer, strict=False by default
# Here: workers/overnight_workers/stages/output_schema.py: answers are checked by jsonschema-rs

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check marshmallow==4.4.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import marshmallow as ma


class Row(ma.Schema):
    stock = ma.fields.Integer()
    whole = ma.fields.Integer(strict=True)
    active = ma.fields.Boolean()
    name = ma.fields.String()


print(f"marshmallow {version('marshmallow')}")
seen = []
for row in ({"stock": 1.9}, {"stock": "1_000"}, {"whole": 1.9}, {"active": 2}, {"name": 5}):
    try:
        seen.append(Row().load(row))
    except ma.ValidationError as error:
        seen.append(error.messages)
    print(f"{row}: {seen[-1]}")
print("So a count that is wrong comes in as one that looks right.")
refused = {"whole": ["Not a valid integer."]}
sys.exit(0 if seen[:3] == [{"stock": 1}, {"stock": 1000}, refused] and all("Not a valid" in str(kept) for kept in seen[3:]) else 1)
PYTHON
