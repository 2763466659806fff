#!/usr/bin/env bash
set -euo pipefail
# Behaviour: Literal[1] takes JSON's true, Literal[True] takes 1, and a set of numbers makes one of 1, 1.0 and true; the JSON Schema that pydantic itself makes of them refuses each of these.
# Expected: a literal is the strictest of types: it takes 1 and nothing else, as its schema (const) says.
# Source: pydantic-core looks literals up by Python's equality and hash, for which True == 1 == 1.0
# Here: workers/overnight_workers/stages/output_schema.py: an answer is checked by its schema before a class reads it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 jsonschema-rs==0.61.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys
from importlib.metadata import version
from typing import Literal

import jsonschema_rs
import pydantic
from pydantic import TypeAdapter

print(f"pydantic {pydantic.VERSION}, jsonschema-rs {version('jsonschema-rs')}")
seen = {}
for name, kind, document in (
    ("Literal[1]", Literal[1], "true"),
    ("Literal[1]", Literal[1], "1.0"),
    ("Literal[True]", Literal[True], "1"),
    ("Literal[1]", Literal[1], '"1"'),
    ("set[int]", set[int], "[1, 1.0, true]"),
):
    adapter = TypeAdapter(kind)
    by_schema = jsonschema_rs.is_valid(adapter.json_schema(), json.loads(document))
    try:
        by_class = repr(adapter.validate_json(document))
    except pydantic.ValidationError:
        by_class = "refused"
    seen[name, document] = by_class, by_schema
    print(f"{name} of {document}: by the class {by_class}, by its schema {'taken' if by_schema else 'refused'}")
print("So a field that is 1 or 2 may come back true, and is 1 afterwards.")
sys.exit(0 if seen["Literal[1]", "true"] == ("1", False) and seen["Literal[True]", "1"][1] is False and seen["set[int]", "[1, 1.0, true]"] == ("{1}", False) and seen["Literal[1]", '"1"'][0] == "refused" else 1)
PYTHON
