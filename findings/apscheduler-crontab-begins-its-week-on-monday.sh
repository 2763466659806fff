#!/usr/bin/env bash
set -euo pipefail
# Behaviour: CronTrigger.from_crontab("0 0 * * 0") of APScheduler runs on Mondays, and "0 0 13 * fri" only on a Friday the 13th.
# Expected: crontab's rules, as the method's name says: 0 is Sunday, and day of month and day of week are joined by or.
# Source: apscheduler/triggers/cron: from_crontab, a note in its docstring
# Here: workers/overnight_workers/catalogs/schedule_times.py: cron lines are read by cronsim, by crontab's rules

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check apscheduler==3.11.3 croniter==7.0.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys
from importlib.metadata import version

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter

print(f"apscheduler {version('apscheduler')}, croniter {version('croniter')}")
start = dt.datetime(2026, 12, 1, 12, tzinfo=dt.timezone.utc)
seen = []
for line in ("0 0 * * 0", "0 0 * * 1-5", "0 0 13 * fri"):
    ours = CronTrigger.from_crontab(line, timezone="UTC")
    times, last = [], None
    for _ in range(5):
        last = ours.get_next_fire_time(last, start if last is None else last + dt.timedelta(seconds=1))
        times.append(last)
    cron = croniter(line, start)
    theirs = [cron.get_next(dt.datetime) for _ in range(5)]
    seen.append((times[0].strftime("%a %Y-%m-%d"), theirs[0].strftime("%a %Y-%m-%d")))
    print(f"{line!r}: APScheduler {', '.join(t.strftime('%a %d %b %Y') for t in times)}")
    print(f"{'':{len(line) + 2}}  croniter    {', '.join(t.strftime('%a %d %b %Y') for t in theirs)}")
print("So a line that is copied from a crontab runs on other nights.")
sys.exit(0 if seen == [("Mon 2026-12-07", "Sun 2026-12-06"), ("Wed 2026-12-02", "Wed 2026-12-02"), ("Fri 2027-08-13", "Fri 2026-12-04")] else 1)
PYTHON
