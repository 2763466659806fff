#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a message of kombu's sqlalchemy transport whose reader died before the acknowledgement stays in the table as invisible, and nobody gets it again.
# Expected: it is handed out again after a visibility timeout, as with Redis.
# Source: kombu/transport/sqlalchemy: _get sets visible to false and commits
# Here: workers/overnight_workers/celery_worker: what a dead worker had is found in the ledger again

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kombu==5.7.0 sqlalchemy==2.1.9 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sqlite3, subprocess, sys
from importlib.metadata import version

import kombu

print(f"kombu {version('kombu')}")
url = "sqlalchemy+sqlite:///queue.db"
with kombu.Connection(url) as connection:
    channel = connection.channel()
    kombu.Queue("jobs")(channel).declare()
    kombu.Producer(channel).publish("describe sku 1", routing_key="jobs")
reader = f"""
import os, kombu
message = kombu.Queue("jobs")(kombu.Connection({url!r}).channel()).get()
print(f"a reader took: {{message.payload}}, and ended without an acknowledgement", flush=True)
os._exit(0)
"""
print(subprocess.run([sys.executable, "-c", reader], capture_output=True, text=True, check=True).stdout.strip())
with kombu.Connection(url) as connection:
    again = kombu.Queue("jobs")(connection.channel()).get()
row = sqlite3.connect("queue.db").execute("SELECT count(*), max(visible) FROM kombu_message").fetchone()
print(f"the next reader gets: {again}; in the table: {row[0]} message, visible: {row[1]}")
print("So acks_late saves nothing there.")
sys.exit(0 if again is None and row == (1, 0) else 1)
PYTHON
