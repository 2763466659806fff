#!/usr/bin/env bash
set -euo pipefail
# Behaviour: \d and \w of a Field(pattern=...) take digits and letters of every script in pydantic; in the JSON Schema that pydantic makes of it, a validator takes ASCII only.
# Expected: a value that the class takes is valid by the class's own schema.
# Source: pydantic's regex_engine (Rust's regex: Unicode by default); JSON Schema 2020-12, 6.3.3: ECMA-262 expressions, where \d and \w are ASCII
# Here: an answer is checked by the schema that was sent, and given to the product by its class

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 jsonschema-rs==0.61.2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

import jsonschema_rs
import pydantic


class Tag(pydantic.BaseModel):
    word: str = pydantic.Field(pattern=r"^\w{3}$")
    size: str = pydantic.Field(pattern=r"^\d+$")


def by_class(value):
    try:
        return bool(Tag.model_validate(value))
    except pydantic.ValidationError:
        return False


print(f"pydantic {pydantic.VERSION}, jsonschema-rs {version('jsonschema-rs')}")
seen = {}
for word, size in [("ete", "12"), ("\u00e9t\u00e9", "12"), ("ete", "\u0661\u0662")]:
    value = {"word": word, "size": size}
    seen[word, size] = (by_class(value), jsonschema_rs.is_valid(Tag.model_json_schema(), value))
    print(f"{value}: by the class {seen[word, size][0]}, by its JSON Schema {seen[word, size][1]}")
print("So an answer in French may be invalid by the schema that its own class wrote: a pattern should name its letters.")
sys.exit(0 if list(seen.values()) == [(True, True), (True, False), (True, False)] else 1)
PYTHON
