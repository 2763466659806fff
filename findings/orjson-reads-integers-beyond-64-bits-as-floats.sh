#!/usr/bin/env bash
set -euo pipefail
# Behaviour: orjson.loads makes a float of an integer from 2^64 on, so that its digits are lost; Python's json, msgspec and rapidjson give the integer, and orjson.dumps refuses it.
# Expected: the integer, or an error as dumps raises.
# Source: orjson's README: Types, int: 64 bits; the JSON reader below it falls back to a double
# Here: models/overnight_models/exact_json.py: numbers of 19 digits and more are read by Python's json instead

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check orjson==3.13.0 msgspec==0.23.0 python-rapidjson==1.25 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import json, sys
from importlib.metadata import version

import msgspec
import orjson
import rapidjson

number = 2**64 + 1
print(f"orjson {version('orjson')}, msgspec {version('msgspec')}, python-rapidjson {version('python-rapidjson')}: {number}")
readers = {"json": json.loads, "msgspec": msgspec.json.decode, "rapidjson": rapidjson.loads, "orjson": orjson.loads}
seen = {name: read(str(number)) for name, read in readers.items()}
for name, value in seen.items():
    print(f"{name}.loads: {value!r}")
try:
    orjson.dumps(number)
    refused = False
except TypeError as error:
    refused = True
    print(f"orjson.dumps: TypeError: {error}")
print("So an id of twenty digits in an answer is another one after it was read, and still a number.")
sys.exit(0 if seen.pop("orjson") == 18446744073709551616.0 and set(seen.values()) == {number} and refused else 1)
PYTHON
