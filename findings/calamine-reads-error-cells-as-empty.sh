#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a cell with an error (#DIV/0!, #N/A) comes from calamine as an empty text, the same as a cell without anything; openpyxl gives the text of the error.
# Expected: the text, None or an exception: something that is not what an empty cell gives.
# Source: python-calamine: CalamineSheet.to_python; ECMA-376, part 1, 18.18.11: cell type "e"
# Here: workers/overnight_workers/catalogs/sources/excel_errors.py

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check python-calamine==0.9.1 XlsxWriter==3.3.1 openpyxl==3.1.5 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import openpyxl
import xlsxwriter
from python_calamine import CalamineWorkbook

print(", ".join(f"{name} {version(name)}" for name in ("python-calamine", "XlsxWriter", "openpyxl")))
path = f"{sys.argv[1]}/prices.xlsx"
with xlsxwriter.Workbook(path) as book:
    sheet = book.add_worksheet("prices")
    sheet.write_row(0, 0, ["a", 1])
    sheet.write_row(1, 0, ["b", None])
    sheet.write_row(2, 0, ["c"])
    sheet.write_formula(2, 1, "=1/0", None, "#DIV/0!")
by_calamine = CalamineWorkbook.from_path(path).get_sheet_by_name("prices").to_python()
by_openpyxl = [list(row) for row in openpyxl.load_workbook(path, data_only=True)["prices"].iter_rows(values_only=True)]
print(f"calamine: {by_calamine}")
print(f"openpyxl: {by_openpyxl}")
print("So a table with a broken formula is read as one with a gap, and nobody is told.")
held = [row[1] for row in by_calamine] == [1.0, "", ""] and [row[1] for row in by_openpyxl] == [1, None, "#DIV/0!"]
sys.exit(0 if held else 1)
PYTHON
