#!/usr/bin/env bash
set -euo pipefail
# Behaviour: transform_schema makes of a field dict[str, int] an object without properties that may have no others: the only answer that fits is {}.
# Expected: an error that structured output can't say this, or the field as it is.
# Source: anthropic/lib/_parse/_transform.py: every object gets its properties, and additionalProperties false
# Here: producers/overnight_producers/structured.py: such a class is refused, with what to declare instead

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check anthropic==2.14.0 pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import json, sys
from importlib.metadata import version

import pydantic
from anthropic import transform_schema


class Prices(pydantic.BaseModel):
    by_size: dict[str, int]


given, sent = Prices.model_json_schema(), transform_schema(Prices)
print(f"anthropic {version('anthropic')}, pydantic {pydantic.VERSION}")
print(f"pydantic: {json.dumps(given['properties']['by_size'])}\nsent: {json.dumps(sent['properties']['by_size'])}")
print(f"an empty answer is valid: {Prices.model_validate({'by_size': {}})!r}")
print("So the answers of a whole night are {}, each valid, each paid.")
field = sent["properties"]["by_size"]
sys.exit(0 if field["properties"] == {} and field["additionalProperties"] is False else 1)
PYTHON
