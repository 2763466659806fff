#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a line break of Windows in a cell stands in the file as _x000D_ and a newline; openpyxl, and so pandas by default, gives those seven characters as text. calamine gives the carriage return.
# Expected: the cell's own text, as Excel shows it, from every reader.
# Source: ECMA-376, part 1, 22.9.2.19 (ST_Xstring); openpyxl's openpyxl.utils.escape, which its reader doesn't call
# Here: catalogs read Excel files by calamine

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check xlsxwriter==3.3.1 openpyxl==3.1.5 python-calamine==0.9.1 pandas==3.1.1 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

import openpyxl
import pandas
import python_calamine
import xlsxwriter

path = f"{sys.argv[1]}/shop.xlsx"
book = xlsxwriter.Workbook(path)
sheet = book.add_worksheet()
sheet.write_string(0, 0, "note")
sheet.write_string(1, 0, "red\r\nblue")
book.close()
names = ("xlsxwriter", "openpyxl", "python-calamine", "pandas")
print(", ".join(f"{name} {version(name)}" for name in names))
seen = {
    "openpyxl": openpyxl.load_workbook(path).active["A2"].value,
    "pandas": pandas.read_excel(path)["note"][0],
    "calamine": python_calamine.load_workbook(path).get_sheet_by_index(0).to_python()[1][0],
}
for reader, text in seen.items():
    print(f"{reader}: {text!r}")
print("So a text has other characters, other tokens and another hash by the reader that is installed.")
held = seen["openpyxl"] == seen["pandas"] == "red_x000D_\nblue" and seen["calamine"] == "red\r\nblue"
sys.exit(0 if held else 1)
PYTHON
