#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Decimal field takes '１.５' and '٣' (digits of other scripts) as 1.5 and 3; int and float fields refuse the same texts.
# Expected: one rule for all numbers.
# Source: Decimal's own constructor takes every Unicode digit, and pydantic hands it the text; integers and floats are read by pydantic-core
# Here: workers/overnight_workers/catalogs/cells.py: what a cell's declared type takes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from decimal import Decimal

import pydantic
from pydantic import TypeAdapter, ValidationError

print(f"pydantic {pydantic.VERSION}")
seen = {}
for text in ("１５", "٣", "15"):
    for kind in (int, float, Decimal):
        try:
            seen[text, kind.__name__] = str(TypeAdapter(kind).validate_python(text))
        except ValidationError:
            seen[text, kind.__name__] = "refused"
    print(f"{text}: " + ", ".join(f"{kind} {seen[text, kind]}" for kind in ("int", "float", "Decimal")))
print("So a column of prices takes what a column of counts beside it calls no number.")
sys.exit(0 if [seen["１５", kind] for kind in ("int", "float", "Decimal")] == ["refused", "refused", "15"]
         and seen["٣", "Decimal"] == "3" and seen["٣", "int"] == "refused" else 1)
PYTHON
