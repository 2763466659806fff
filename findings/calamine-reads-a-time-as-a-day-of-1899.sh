#!/usr/bin/env bash
set -euo pipefail
# Behaviour: polars.read_excel by calamine reads a cell with a time of day as a datetime of 31 December 1899; as text, a duration is a date of 1900.
# Expected: a time, as openpyxl reads it, and a duration in hours.
# Source: fastexcel and calamine: cells with a date format are numbers of days since 1899-12-31
# Here: nothing yet: tables that come from Excel

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 fastexcel==0.21.0 openpyxl==3.1.5 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from datetime import time, timedelta
from importlib.metadata import version

import openpyxl
import polars

book = openpyxl.Workbook()
book.active.append(["opens", "lasts"])
book.active.append([time(9, 30), timedelta(hours=30)])
book.active["B2"].number_format = "[h]:mm"
path = f"{sys.argv[1]}/shop.xlsx"
book.save(path)
print(f"polars {polars.__version__}, fastexcel {version('fastexcel')}, openpyxl {openpyxl.__version__}: 9:30 and 30 hours")
cells = [cell.value for cell in openpyxl.load_workbook(path).active[2]]
typed = polars.read_excel(path, engine="calamine").row(0)
text = polars.read_excel(path, engine="calamine", infer_schema_length=0).row(0)
print(f"openpyxl: {cells}")
print(f"calamine: {typed}")
print(f"calamine, every cell as text: {text}")
print("So an opening hour goes into a prompt as a day of 1899, and 30 hours as six o'clock of the first of January 1900.")
held = typed[0].year == 1899 and typed[1] == timedelta(hours=30) and text == ("1899-12-31 09:30:00", "1900-01-01 06:00:00")
sys.exit(0 if held else 1)
PYTHON
