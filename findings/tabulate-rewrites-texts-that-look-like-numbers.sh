#!/usr/bin/env bash
set -euo pipefail
# Behaviour: tabulate shows the text 3.10 as 3.1: a column of texts in which each could be a number is formatted as numbers, unless disable_numparse.
# Expected: texts as they are.
# Source: tabulate's README: Number formatting, disable_numparse
# Here: workers/overnight_workers/cli: tables are rich's, which leave texts of digits as they are

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tabulate==0.10.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from tabulate import tabulate

rows = [["a", "3.10"], ["b", "3.9"]]
print(f"tabulate {version('tabulate')}, names and versions: {rows}")
parsed, plain = tabulate(rows, tablefmt="plain"), tabulate(rows, tablefmt="plain", disable_numparse=True)
print(f"by default:\n{parsed}\nwith disable_numparse=True:\n{plain}")
print("So a list of versions shows one that doesn't exist.")
sys.exit(0 if parsed.split() == ["a", "3.1", "b", "3.9"] and plain.split() == ["a", "3.10", "b", "3.9"] else 1)
PYTHON
