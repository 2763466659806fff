#!/usr/bin/env bash
set -euo pipefail
# Behaviour: of '0 9 1 * 1' cron-descriptor says 'on day 1 of the month, only on Monday'; cron, and cronsim after it, run on each first and on each Monday.
# Expected: the words tell when it runs.
# Source: crontab(5): when both the day of month and the day of week are restricted, either is enough
# Here: workers/overnight_workers/catalogs/schedule_times.py: the next runs are reckoned and shown before a schedule is kept

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check cron-descriptor==1.4.5 cronsim==2.8 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import datetime, sys
from importlib.metadata import version

import cron_descriptor
import cronsim

LINE = "0 9 1 * 1"
print(f"cron-descriptor {version('cron-descriptor')}, cronsim {version('cronsim')}")
words = cron_descriptor.get_description(LINE)
times = cronsim.CronSim(LINE, datetime.datetime(2026, 6, 1))
days = [next(times).strftime("%a %d") for _ in range(6)]
print(f"{LINE}\n  cron-descriptor: {words}\n  cronsim: {days}\n  cronsim in words: {times.explain()}")
print("So somebody who reads the description expects a run or two a year and gets five a month.")
sys.exit(0 if "only on Monday" in words and days == ["Mon 01", "Mon 08", "Mon 15", "Mon 22", "Mon 29", "Wed 01"] else 1)
PYTHON
