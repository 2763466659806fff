#!/usr/bin/env bash
set -euo pipefail
# Behaviour: cattrs reads "false", "no" and "0" into a bool as True and 1.9 into an int as 1: it calls the class with the value.
# Expected: false, or an error.
# Source: cattrs' documentation, built-in hooks: int, float, str, bytes and bool are made by calling the class
# Here: workers/overnight_workers/stages/output_schema.py: an answer is checked by its schema before a class reads it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cattrs==26.2.1 pydantic==2.14.4 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import dataclasses, sys
from importlib.metadata import version

import cattrs, pydantic


@dataclasses.dataclass
class Checked:
    allowed: bool
    stock: int


print(f"cattrs {version('cattrs')}, pydantic {version('pydantic')}")
seen = []
for allowed, stock in (("false", "7"), ("no", 1.9), ("0", True)):
    raw = {"allowed": allowed, "stock": stock}
    read = cattrs.structure(raw, Checked)
    seen.append((read.allowed, read.stock))
    try:
        other = str(pydantic.TypeAdapter(Checked).validate_python(raw))
    except pydantic.ValidationError as error:
        other = f"{error.error_count()} error"
    print(f"{raw}: cattrs {read}; pydantic: {other}")
print("So a model that answers in words says yes to everything.")
sys.exit(0 if seen == [(True, 7), (True, 1), (True, 1)] else 1)
PYTHON
