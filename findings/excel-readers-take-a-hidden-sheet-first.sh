#!/usr/bin/env bash
set -euo pipefail
# Behaviour: polars.read_excel, fastexcel and calamine's first sheet are the first of the file, also when it is hidden; openpyxl's active one is what Excel opens.
# Expected: without a name, the sheet that somebody sees who opens the file.
# Source: polars' reference: read_excel, sheet_id is 1; python-calamine's sheets_metadata says which are hidden
# Here: workers/overnight_workers/catalogs/sources/excel.py: hidden sheets and charts are passed over

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 fastexcel==0.21.0 openpyxl==3.1.5 xlsxwriter==3.2.9 python-calamine==0.6.1 pyarrow==26.0.1 || exit 2

"$folder/venv/bin/python" - "$folder/prices.xlsx" <<'PYTHON'
import sys
from importlib.metadata import version

import fastexcel
import openpyxl
import polars
import python_calamine
import xlsxwriter

with xlsxwriter.Workbook(sys.argv[1]) as book:
    lists, prices = book.add_worksheet("lists"), book.add_worksheet("prices")
    lists.write_column(0, 0, ["id", "of a drop-down"])
    prices.write_column(0, 0, ["id", "of a product"])
    prices.activate()
    lists.hide()
calamine = python_calamine.CalamineWorkbook.from_path(sys.argv[1])
seen = {
    f"polars {polars.__version__}": polars.read_excel(sys.argv[1])["id"][0],
    f"fastexcel {fastexcel.__version__}": fastexcel.read_excel(sys.argv[1]).load_sheet(0).to_polars()["id"][0],
    f"python-calamine {version('python-calamine')}": calamine.get_sheet_by_index(0).to_python()[1][0],
    f"openpyxl {openpyxl.__version__}, active": openpyxl.load_workbook(sys.argv[1]).active["A2"].value,
}
for name, value in seen.items():
    print(f"{name}: {value}")
print(f"hidden is known: {[(sheet.name, str(sheet.visible)) for sheet in calamine.sheets_metadata]}")
print("So a catalog whose workbook keeps the lists of its drop-downs in front is read from those.")
*readers, opened = seen.values()
sys.exit(0 if set(readers) == {"of a drop-down"} and opened == "of a product" else 1)
PYTHON
