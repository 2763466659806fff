#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of a table that begins at C3, calamine's to_python() starts with the table's first cell, iter_rows() keeps the empty rows above and drops the empty columns on its left, and to_python(skip_empty_area=False) keeps both.
# Expected: a row's and a cell's place in what is read is its place in the sheet, by each method.
# Source: python-calamine's README (skip_empty_area); iter_rows stands there without a word of it
# Here: workers/overnight_workers/catalogs/sources/excel.py: which column an error stands in is counted from the sheet's first used column

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-calamine==0.9.1 xlsxwriter==3.3.1 || exit 2

FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os, sys
from importlib.metadata import version
from pathlib import Path

import xlsxwriter
from python_calamine import CalamineWorkbook

path = Path(os.environ["FOLDER"]) / "goods.xlsx"
with xlsxwriter.Workbook(str(path)) as book:
    sheet = book.add_worksheet()
    sheet.write_row(2, 2, ("sku", "name"))
    sheet.write_row(3, 2, ("1", "red"))
sheet = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0)
seen = {
    "to_python()": sheet.to_python(),
    "iter_rows()": list(sheet.iter_rows()),
    "to_python(skip_empty_area=False)": sheet.to_python(skip_empty_area=False),
}
print(f"python-calamine {version('python-calamine')}; the table begins at C3, which it says as start={sheet.start}")
for name, rows in seen.items():
    print(f"{name}: {rows}")
print("So a fault in column D is told as one of B, or is taken to stand beside the table.")
shapes = [(len(rows), len(rows[0])) for rows in seen.values()]
sys.exit(0 if shapes == [(2, 2), (4, 2), (4, 4)] else 1)
PYTHON
