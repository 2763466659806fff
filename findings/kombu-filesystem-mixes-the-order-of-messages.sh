#!/usr/bin/env bash
set -euo pipefail
# Behaviour: kombu's filesystem transport hands messages out by file names of milliseconds and a random id, so those of one millisecond come in any order.
# Expected: first in, first out, as with its other transports.
# Source: kombu/transport/filesystem.py: _put makes the name, _get sorts the names
# Here: workers/overnight_workers/celery_worker: Redis is the broker, and no order of messages is relied on

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kombu==5.7.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys
from importlib.metadata import version

import kombu

print(f"kombu {version('kombu')}")
os.mkdir("queue")


def back(url, **options):
    with kombu.Connection(url, transport_options=options) as connection:
        channel = connection.channel()
        queue = kombu.Queue("jobs")(channel)
        queue.declare()
        producer = kombu.Producer(channel)
        for number in range(200):
            producer.publish(number, routing_key="jobs")
        return [queue.get(no_ack=True).payload for _ in range(200)]


memory = back("memory://")
files = back("filesystem://", data_folder_in="queue", data_folder_out="queue", control_folder="control")
print(f"memory: {memory[:20]} …")
print(f"filesystem: {files[:20]} …")
print("So a test on it may see an update before what it updates.")
sys.exit(0 if memory == list(range(200)) and files != memory and sorted(files) == memory else 1)
PYTHON
