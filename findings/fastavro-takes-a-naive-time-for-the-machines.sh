#!/usr/bin/env bash
set -euo pipefail
# Behaviour: fastavro writes a datetime without a zone as the machine's local time into timestamp-millis, drops the microseconds, and hands back a datetime in UTC that is another one.
# Expected: UTC, or an error; timestamp-millis is an instant, and local-timestamp-millis is there for the others.
# Source: fastavro/_logical_writers_py.py: prepare_timestamp_millis
# Here: workers/overnight_workers/local_time.py: a local time becomes an instant by the zone that is named

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check fastavro==1.13.1 || exit 2

cd "$folder"
TZ=Asia/Tokyo "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, io, sys
from importlib.metadata import version

import fastavro

schema = fastavro.parse_schema({"type": "record", "name": "row", "fields": [
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}}]})
print(f"fastavro {version('fastavro')}, on a machine in Tokyo")
back = []
for at in (dt.datetime(2026, 12, 1, 0, 0, 0, 123999), dt.datetime(2026, 12, 1, 0, 0, 0, 123999, dt.timezone.utc)):
    file = io.BytesIO()
    fastavro.writer(file, schema, [{"at": at}])
    file.seek(0)
    back.append(next(iter(fastavro.reader(file)))["at"])
    print(f"{at!r}\n    comes back as {back[-1]!r}")
print("So the same file has other times by the machine that wrote it.")
utc = dt.timezone.utc
sys.exit(0 if back == [dt.datetime(2026, 11, 30, 15, 0, 0, 123000, utc), dt.datetime(2026, 12, 1, 0, 0, 0, 123000, utc)] else 1)
PYTHON
