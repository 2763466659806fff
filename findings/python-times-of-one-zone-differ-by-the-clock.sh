#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the difference of two aware times with the same ZoneInfo is that of the clock on the wall: noon to noon over the night of a change is 24 hours, where 23 have passed; == and < are of the clock too.
# Expected: aware times are instants, and their difference is what has passed.
# Source: Python's documentation: datetime, Supported operations: with the same tzinfo the zones are ignored
# Here: workers/overnight_workers/local_time.py: a time becomes UTC before anything is counted by it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tzdata==2026.6 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from zoneinfo import ZoneInfo

print(f"Python {sys.version.split()[0]}, tzdata {version('tzdata')}")
berlin = ZoneInfo("Europe/Berlin")
before, after = datetime(2026, 3, 28, 12, tzinfo=berlin), datetime(2026, 3, 29, 12, tzinfo=berlin)
clock, passed = after - before, after.astimezone(UTC) - before.astimezone(UTC)
print(f"{before} to {after}: {clock}; the same in UTC: {passed}")
first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
print(f"{first} and {second}: equal {first == second}; in UTC equal {first.astimezone(UTC) == second.astimezone(UTC)}")
print("So a deadline of 24 hours is an hour late or early twice a year, and two batches of that night are of one time.")
as_described = clock == timedelta(hours=24) and passed == timedelta(hours=23) and first == second
sys.exit(0 if as_described and first.astimezone(UTC) != second.astimezone(UTC) else 1)
PYTHON
