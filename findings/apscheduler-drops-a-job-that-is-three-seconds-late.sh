#!/usr/bin/env bash
set -euo pipefail
# Behaviour: APScheduler 3 never runs a job whose time was 3 seconds ago when the scheduler started: it is removed, and a warning is in the log.
# Expected: it runs at once: it is due.
# Source: apscheduler/executors/base.py and its user guide: misfire_grace_time, one second by default
# Here: workers/overnight_workers/catalogs/schedules: a time that was missed is run, or told as missed, by the schedule's own rule

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apscheduler==3.11.3 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import logging, sys, time
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from apscheduler.schedulers.background import BackgroundScheduler

logging.getLogger("apscheduler").addHandler(logging.StreamHandler(sys.stdout))
print(f"apscheduler {version('apscheduler')}")
ran = []
scheduler = BackgroundScheduler(timezone="UTC")
due = datetime.now(UTC) - timedelta(seconds=3)
scheduler.add_job(ran.append, "date", run_date=due, args=["by default"], name="by default")
scheduler.add_job(ran.append, "date", run_date=due, args=["misfire_grace_time=None"], misfire_grace_time=None)
scheduler.start()
time.sleep(3)  # both are looked at as soon as it has started
left = len(scheduler.get_jobs())
scheduler.shutdown()
print(f"ran: {ran}; jobs left: {left}")
print("So a restart at the wrong second loses a nightly run, and a list of jobs doesn't show it.")
sys.exit(0 if ran == ["misfire_grace_time=None"] and left == 0 else 1)
PYTHON
