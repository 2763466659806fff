#!/usr/bin/env bash
set -euo pipefail
# Behaviour: agate, and csvkit with it, reads "1 week" in a column of dates as a date of the year 1: 0001-01-08.
# Expected: a column of texts, as one cell isn't a date.
# Source: agate/data_types/date.py asks parsedatetime, from a start in the year 1
# Here: workers/overnight_workers/catalogs/cells.py: every cell is text

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check agate==1.14.2 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import io, sys
from importlib.metadata import version

import agate

print(f"agate {version('agate')}")
table = agate.Table.from_csv(io.StringIO("sku,delivery\na,2026-12-01\nb,1 week\n"))
kinds = [type(kind).__name__ for kind in table.column_types]
values = [row["delivery"] for row in table.rows]
print(f"2026-12-01, 1 week: {kinds[1]}, {[str(value) for value in values]}")
print("So a delivery time becomes a day of Caesar's century, and no warning is written.")
sys.exit(0 if kinds[1] == "Date" and values[1].year == 1 else 1)
PYTHON
