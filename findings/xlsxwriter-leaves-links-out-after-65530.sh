#!/usr/bin/env bash
set -euo pipefail
# Behaviour: xlsxwriter makes a link of each text that begins as a URL, and leaves the cell empty once a sheet has 65,530 of them: polars' write_excel of 65,600 rows with a picture's URL each leaves 70 cells empty, with a warning for each.
# Expected: a text that can't be a link any more is written as a text; nothing of a table gets lost.
# Source: xlsxwriter/worksheet.py: _write_url warns and returns without writing; Excel's own bound is of links, not of texts
# Here: workers/overnight_workers/catalogs/sources/: such a workbook has rows without a picture, which are named as null before they cost

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check polars==2.1.0 xlsxwriter==3.3.1 python-calamine==0.9.1 || exit 2

FOLDER="$folder" "$folder/venv/bin/python" - <<'PYTHON'
import os, sys, warnings
from pathlib import Path

import polars
import xlsxwriter
from python_calamine import CalamineWorkbook

ROWS = 65_600
path = Path(os.environ["FOLDER"]) / "pictures.xlsx"
table = polars.DataFrame({"sku": [f"A{n}" for n in range(ROWS)], "picture": [f"https://pictures.example/{n}.jpg" for n in range(ROWS)]})
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    table.write_excel(path)
_, *rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
there = sum(picture != "" for _, picture in rows)
print(f"polars {polars.__version__}, xlsxwriter {xlsxwriter.__version__}")
print(f"{ROWS:,} rows with a picture were written; read back: {len(rows):,} rows, {there:,} with a picture; the last: {rows[-1]}")
print(f"warnings: {len(warned)}")
print("So a catalog of pictures that went through a workbook has holes at its end.")
sys.exit(0 if (len(rows), there, len(warned)) == (ROWS, 65_530, ROWS - 65_530) else 1)
PYTHON
