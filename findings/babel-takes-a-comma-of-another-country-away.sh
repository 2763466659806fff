#!/usr/bin/env bash
set -euo pipefail
# Behaviour: babel's parse_decimal reads "1,5" as 15 for English and "1.5" as 15 for German: a sign that parts thousands is dropped wherever it stands. Only strict=True refuses.
# Expected: NumberFormatError: one digit isn't a group of thousands.
# Source: babel/numbers.py: parse_decimal, its parameter strict
# Here: workers/overnight_workers/catalogs/cells.py: every cell is text, and no number is guessed from it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check babel==2.19.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from babel.numbers import NumberFormatError, parse_decimal

print(f"babel {version('babel')}")
seen = []
for text, locale in (("1,5", "en"), ("1.5", "de"), ("1,23", "en")):
    value = parse_decimal(text, locale=locale)
    try:
        parse_decimal(text, locale=locale, strict=True)
        strict = "taken"
    except NumberFormatError as error:
        strict = str(error)
    seen.append((str(value), strict != "taken"))
    print(f"{text} for {locale}: {value}; with strict=True: {strict}")
print("So a price of the neighbouring country is ten or a hundred times as high.")
sys.exit(0 if seen == [("15", True), ("15", True), ("123", True)] else 1)
PYTHON
