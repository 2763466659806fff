#!/usr/bin/env bash
set -euo pipefail
# Behaviour: model_validate_json makes a Decimal field of a JSON number with a point by way of a float: digits beyond the sixteenth are lost without an error. Whole numbers stay exact.
# Expected: the digits as they are written, since pydantic reads the JSON itself and the field is a Decimal; json.loads(parse_float=Decimal) keeps them.
# Source: pydantic's documentation of Decimal and of JSON parsing; pydantic-core's reader, jiter, has a float_mode
# Here: models/overnight_models/wire/outcome.py reads such numbers as text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys
from decimal import Decimal

import pydantic


class Price(pydantic.BaseModel):
    amount: Decimal


print(f"pydantic {pydantic.VERSION}")
numbers = ["1.10", "0.1234567890123456789012", "12345678901234567890.12", "100000000000000000000000"]
seen = {}
for number in numbers:
    text = f'{{"amount": {number}}}'
    seen[number] = Price.model_validate_json(text).amount
    exact = Price.model_validate(json.loads(text, parse_float=Decimal)).amount
    quoted = Price.model_validate_json(f'{{"amount": "{number}"}}').amount
    print(f"{number}: read as {seen[number]}; by json.loads(parse_float=Decimal) {exact}; as a JSON string {quoted}")
print("So an amount that a model answers as a number may be another one in the class, and 1.10 becomes 1.1; as a string it is exact.")
held = (
    str(seen["1.10"]) == "1.1"
    and seen["12345678901234567890.12"] == Decimal("12345678901234567000")
    and seen["0.1234567890123456789012"] == Decimal("0.12345678901234568")
    and seen["100000000000000000000000"] == Decimal("100000000000000000000000")
)
sys.exit(0 if held else 1)
PYTHON
