#!/usr/bin/env bash
set -euo pipefail
# Behaviour: frictionless validate, without a schema, gives a column the type that nine in ten rows of a sample fit, and then calls the others invalid: fifty skus of digits and one of letters are a type-error.
# Expected: a file that declares no types can't break them: the column is text.
# Source: frictionless/detector/detector.py: field_confidence is 0.9 and sample_size 100; its guide: Detector
# Here: workers/overnight_workers/catalogs/validating.py checks only what a declaration says

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check frictionless==5.21.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, sys
from importlib.metadata import version

from frictionless import Detector, validate

os.chdir(sys.argv[1])


def errors(rows: int, **options) -> list[tuple[int, str]]:
    with open("skus.csv", "w") as file:
        file.write("id,sku\n" + "".join(f"{n},{n}\n" for n in range(rows)) + f"{rows},17-B\n")
    report = validate("skus.csv", detector=Detector(**options))
    return [(error.row_number, error.type) for error in report.tasks[0].errors]


print(f"frictionless {version('frictionless')}")
seen = {}
for rows, options in [(5, {}), (50, {}), (50, {"field_confidence": 1}), (300, {"field_confidence": 1})]:
    seen[f"{rows} skus of digits and 17-B, {options or 'by default'}"] = errors(rows, **options)
for what, row_errors in seen.items():
    print(f"{what}: {row_errors or 'valid'}")
print("So the same cell is right or wrong by how many others there are, and which come first.")
sys.exit(0 if list(seen.values()) == [[], [(52, "type-error")], [], [(302, "type-error")]] else 1)
PYTHON
