#!/usr/bin/env bash
set -euo pipefail
# Behaviour: croniter gives 30 2 * * * twice for the night when clocks go back; cronsim gives it once, as Debian's cron does.
# Expected: a daily line is one time a day.
# Source: cronsim's README: DST, as in Debian's cron; croniter's README: About DST
# Here: workers/overnight_workers/catalogs/schedule_times.py: each time of the wall clock once

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check croniter==7.0.0 cronsim==2.8 tzdata==2026.6 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from datetime import datetime
from importlib.metadata import version
from itertools import islice
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

start = datetime(2026, 10, 24, 12, tzinfo=ZoneInfo("Europe/Berlin"))
one = croniter("30 2 * * *", start)
times = {"croniter": [one.get_next(datetime) for _ in range(2)], "cronsim": list(islice(CronSim("30 2 * * *", start), 2))}
for name, (first, second) in times.items():
    print(f"{name} {version(name)}: {first} and {second}")
print("So a catalog that is asked anew each night is asked, and paid for, twice in one.")
days = [[time.day for time in pair] for pair in times.values()]
sys.exit(0 if days == [[25, 25], [25, 26]] else 1)
PYTHON
