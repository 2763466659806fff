#!/usr/bin/env bash
set -euo pipefail
# Behaviour: {"multipleOf": 0.01} refuses 19.99, 0.07 and 4.35 in jsonschema, and takes them in jsonschema-rs, fastjsonschema and pydantic (multiple_of).
# Expected: every validator agrees that 19.99 is a price in cents: the JSON texts are exact decimals.
# Source: JSON Schema 2020-12 validation, 6.2.1; jsonschema/_keywords.py: multipleOf divides floats
# Here: workers/overnight_workers/stages/output_schema.py: answers are checked by jsonschema-rs

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jsonschema==4.26.0 jsonschema-rs==0.60.3 fastjsonschema==2.22.3 pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import fastjsonschema
import jsonschema
import jsonschema_rs
from pydantic import BaseModel, Field, ValidationError

SCHEMA = {"type": "number", "multipleOf": 0.01}
fast = fastjsonschema.compile(SCHEMA)


class Price(BaseModel):
    price: float = Field(multiple_of=0.01)


def takes(check, *refusals):
    try:
        return check() is not False
    except refusals:
        return False


def verdicts(price):
    return (
        takes(lambda: jsonschema.Draft202012Validator(SCHEMA).is_valid(price)),
        takes(lambda: Price(price=price), ValidationError),
        takes(lambda: jsonschema_rs.is_valid(SCHEMA, price)),
        takes(lambda: fast(price), fastjsonschema.JsonSchemaValueException),
    )


names = ("jsonschema", "pydantic", "jsonschema-rs", "fastjsonschema")
print(", ".join(f"{name} {version(name)}" for name in names))
seen = {price: verdicts(price) for price in (1.1, 19.99, 0.07, 4.35)}
for price, verdict in seen.items():
    print(f"{price} as a multiple of 0.01: " + ", ".join(f"{n} {'takes' if v else 'refuses'} it" for n, v in zip(names, verdict)))
print("So whether an answer fits its schema depends on who looks, and only for some prices.")
refused = (False, True, True, True)
sys.exit(0 if all(seen[1.1]) and all(seen[price] == refused for price in (19.99, 0.07, 4.35)) else 1)
PYTHON
