#!/usr/bin/env bash
set -euo pipefail
# Behaviour: celery's crontab refuses 7 and 5-7 for Sunday, also in crontab.from_string, and takes fri-sun and 5-0 instead; cron, croniter and cronsim take 7.
# Expected: what from_string reads is a line of cron.
# Source: celery/schedules.py: crontab_parser(7) counts from 0; crontab(5): 0 or 7 is Sunday
# Here: workers/overnight_workers/catalogs/schedule_times.py: schedules are read by cronsim, not by celery

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 cronsim==2.8 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from datetime import datetime
from importlib.metadata import version

from celery.schedules import crontab
from cronsim import CronSim

print(f"celery {version('celery')}, cronsim {version('cronsim')}")
taken = {}
for days in ("7", "5-7", "fri-sun", "5-0"):
    try:
        taken[days] = sorted(crontab.from_string(f"0 3 * * {days}").day_of_week)
    except ValueError as error:
        taken[days] = None
        print(f"0 3 * * {days}: celery: {error}")
    else:
        print(f"0 3 * * {days}: celery: days {taken[days]}")
sunday = next(CronSim("0 3 * * 7", datetime(2026, 12, 1)))
print(f"0 3 * * 7: cronsim: {sunday:%A}")
print("So a crontab that moves to celery's beat stops the process that loads it, or needs another line for the same days.")
sys.exit(0 if list(taken.values()) == [None, None, [0, 5, 6], [0, 5, 6]] and sunday.isoweekday() == 7 else 1)
PYTHON
