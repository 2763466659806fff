#!/usr/bin/env bash
set -euo pipefail
# Behaviour: msgspec's decode_lines takes a value that is spread over two lines, and two values in one line: it reads values one after another, whatever stands between them.
# Expected: one value a line, as in JSON Lines; an error for the rest.
# Source: msgspec's documentation: line-delimited JSON
# Here: workers/overnight_workers/catalogs/sources/jsonl.py: a fault is told with the number of its line

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check msgspec==0.23.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json, sys
from importlib.metadata import version

import msgspec

print(f"msgspec {version('msgspec')}: Decoder.decode_lines")
decoder = msgspec.json.Decoder()
seen = []
for lines in (b'{"sku": 1}\n{"sku": 2}\n', b'{"sku":\n1}\n{"sku": 2}\n', b'{"sku": 1}{"sku": 2}\n', b'1 2 3\n'):
    values = decoder.decode_lines(lines)
    single = []
    for line in lines.splitlines():
        try:
            json.loads(line)
            single.append("a value")
        except ValueError:
            single.append("none")
    seen.append((len(values), single))
    print(f"{lines!r}: {values}; line by line: {', '.join(single)}")
print("So the number of rows isn't the number of lines, and line 7 of an error message isn't line 7 of the file.")
right = [(2, ["a value"] * 2), (2, ["none", "none", "a value"]), (2, ["none"]), (3, ["none"])]
sys.exit(0 if seen == right else 1)
PYTHON
