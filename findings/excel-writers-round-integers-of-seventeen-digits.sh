#!/usr/bin/env bash
set -euo pipefail
# Behaviour: openpyxl and XlsxWriter write the integer 12345678901234567 as 1.234567890123457e+16 without a word, and it comes back as a float.
# Expected: an integer is written digit by digit, as the file format allows, or refused.
# Source: openpyxl/cell/_writer.py and xlsxwriter/worksheet.py write numbers with 16 significant digits
# Here: workers/overnight_workers/catalogs/opened.py: keys of a workbook are read as what the file has

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openpyxl==3.1.5 XlsxWriter==3.3.1 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import re
import sys
import zipfile
from importlib.metadata import version

import openpyxl
import xlsxwriter

KEY = 12345678901234567


def by_openpyxl(path):
    book = openpyxl.Workbook()
    book.active.append([KEY])
    book.save(path)


def by_xlsxwriter(path):
    book = xlsxwriter.Workbook(path)
    book.add_worksheet().write(0, 0, KEY)
    book.close()


seen = {}
for name, write in (("openpyxl", by_openpyxl), ("XlsxWriter", by_xlsxwriter)):
    path = f"{sys.argv[1]}/{name}.xlsx"
    write(path)
    cell = re.search(r"<v>(.*?)</v>", zipfile.ZipFile(path).read("xl/worksheets/sheet1.xml").decode())[1]
    back = openpyxl.load_workbook(path).active["A1"].value
    seen[name] = (cell, back)
    print(f"{name} {version(name)}: {KEY} is {cell} in the file, and {back!r} when it is read again")
print("So ids of seventeen digits and more, as orders and posts have them, name other rows once a sheet was written.")
sys.exit(0 if all(int(float(cell)) != KEY and back != KEY for cell, back in seen.values()) else 1)
PYTHON
