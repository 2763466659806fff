#!/usr/bin/env bash
set -euo pipefail
# Behaviour: pydantic writes a timedelta of 400 days as P1Y35D and reads P1M as 30 days; msgspec and pandas refuse a year, and isodate makes a calendar year of it, which a leap year ends a day late.
# Expected: P400D, as timedelta has days and no years; P1M refused, as a month has no fixed length.
# Source: pydantic's documentation of timedelta names ISO 8601; the days of a year and a month are in speedate's duration.rs
# Here: workers/overnight_workers/catalogs/cells.py: a duration of a source is written in seconds

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 msgspec==0.23.0 isodate==0.7.2 pandas==3.1.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys
from importlib.metadata import version

import isodate, msgspec, pandas, pydantic

durations = pydantic.TypeAdapter(dt.timedelta)
kept = dt.timedelta(days=400)
text = durations.dump_json(kept).decode().strip('"')
print(f"pydantic {version('pydantic')} writes 400 days: {text}")
month = durations.validate_python("P1M")
print(f"pydantic reads P1M: {month}")
results = []
for name, read in [("msgspec", lambda: msgspec.convert(text, dt.timedelta)), ("pandas", lambda: pandas.Timedelta(text)),
                   ("isodate", lambda: dt.date(2028, 1, 1) + isodate.parse_duration(text) - dt.date(2028, 1, 1))]:
    try:
        results.append(str(read()))
    except Exception as error:
        results.append(type(error).__name__)
    print(f"{name} {version(name)} reads {text}: {results[-1]}" + (", counted from January 2028" if name == "isodate" else ""))
print(f"msgspec itself writes {msgspec.json.encode(kept).decode()}")
print("So how long something is kept is another number of days by the library that reads it.")
sys.exit(0 if text == "P1Y35D" and month == dt.timedelta(days=30)
         and results == ["ValidationError", "ValueError", "401 days, 0:00:00"] else 1)
PYTHON
