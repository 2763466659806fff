#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pandas.Timedelta reads P1M, a month of ISO 8601, as one minute, and P1.5D as five days and one second, both without a word; P1Y is refused.
# Expected: an error for a month, as for a year; a day and a half.
# Source: pandas/_libs/tslibs/timedeltas.pyx: parse_iso_format_string doesn't look whether a T was before the M
# Here: workers/overnight_workers/catalogs/cells.py: a duration of a source is written in seconds

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pandas==3.1.1 isodate==0.7.2 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys

import isodate, pandas

print(f"pandas {pandas.__version__}, isodate {isodate.__version__}")
seen = {}
for text in ("PT1M", "P1M", "P1.5D", "PT36H"):
    seen[text] = pandas.Timedelta(text)
    print(f"{text}: pandas {seen[text]}; isodate {isodate.parse_duration(text)}")
try:
    seen["P1Y"] = pandas.Timedelta("P1Y")
except ValueError as error:
    seen["P1Y"] = "refused"
    print(f"P1Y: pandas: {error}")
print("So a delivery time of a month becomes a minute.")
right = {"PT1M": pandas.Timedelta(minutes=1), "P1M": pandas.Timedelta(minutes=1), "P1.5D": pandas.Timedelta(days=5, seconds=1),
         "PT36H": pandas.Timedelta(hours=36), "P1Y": "refused"}
sys.exit(0 if seen == right else 1)
PYTHON
