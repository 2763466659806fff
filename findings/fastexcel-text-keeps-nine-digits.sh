#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fastexcel, asked for texts, and so polars.read_excel with infer_schema_length=0, writes numbers with nine digits after the point.
# Expected: all digits of the double, as calamine itself, openpyxl and a column of floats give them.
# Source: fastexcel: dtypes="string"; its column builder formats floats
# Here: workers/overnight_workers/catalogs/sources/excel.py: cells are read by calamine and written as text by ourselves

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastexcel==0.21.0 polars==2.1.0 xlsxwriter==3.2.9 pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - "$folder/places.xlsx" <<'PYTHON'
import sys

import fastexcel
import polars
import xlsxwriter

print(f"fastexcel {fastexcel.__version__}, polars {polars.__version__}")
book = xlsxwriter.Workbook(sys.argv[1])
sheet = book.add_worksheet()
numbers = [52.51627489012345, 0.3333333333333333, 0.00000000012, 1234.5]
for line, value in enumerate(["value", *numbers]):
    sheet.write(line, 0, value)
book.close()
floats = polars.read_excel(sys.argv[1])["value"].to_list()
texts = polars.read_excel(sys.argv[1], infer_schema_length=0)["value"].to_list()
own = fastexcel.read_excel(sys.argv[1]).load_sheet(0, dtypes="string").to_polars()["value"].to_list()
for value, number, text, same in zip(numbers, floats, texts, own):
    print(f"{value!r}: as a float {number!r}, as text {text!r}, by fastexcel itself {same!r}")
print("So who asks for texts to lose nothing loses digits, and a small number is a zero.")
sys.exit(0 if floats == numbers and texts == own == ["52.51627489", "0.333333333", "0", "1234.5"] else 1)
PYTHON
