#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with send_default_pii=False sentry-sdk hides the arguments of a Celery task as [Filtered], and sends the same values as local variables of the stack's frames.
# Expected: what is filtered as an argument isn't in the event anywhere else.
# Source: sentry_sdk/consts.py: include_local_variables is True; Sentry's documentation: Options, Data Management
# Here: workers/overnight_workers/celery_worker/task_request.py hides arguments of messages; Sentry isn't part of Overnight, and who adds it sets include_local_variables=False

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sentry-sdk==2.75.0 celery==5.7.0 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import json, sys
from importlib.metadata import version

import sentry_sdk
from celery import Celery

events = []


class Kept(sentry_sdk.transport.Transport):
    """Nothing is sent: envelopes are kept."""

    def capture_envelope(self, envelope):
        events.extend(item.payload.json for item in envelope.items if item.payload.json)


app = Celery("shop", broker="memory://")


@app.task(name="shop.describe")
def describe(prompt):
    raise ValueError("no such lane")


seen = []
for options in ({}, {"include_local_variables": False}):
    events.clear()
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Kept, send_default_pii=False, **options)
    describe.apply(args=("Ann Example has a cold",))
    sentry_sdk.flush()
    (event,) = [event for event in events if "exception" in event]
    job = event["extra"]["celery-job"]
    frames = event["exception"]["values"][0]["stacktrace"]["frames"]
    seen.append((job["args"], "Ann Example" in json.dumps(event)))
    print(f"sentry-sdk {version('sentry-sdk')}, send_default_pii=False {options or ''}")
    print(f"  arguments: {job['args']}; local variables: {frames[-1].get('vars')}")
print("So prompts are at Sentry after the first error, whoever switched them off for its arguments.")
sys.exit(0 if seen == [("[Filtered]", True), ("[Filtered]", False)] else 1)
PYTHON
