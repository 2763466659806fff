#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the package uuid7 writes ids by a draft of 2021 whose first 36 bits are seconds: they don't sort among ids of version 7 by uuid6, uuid_utils or PostgreSQL, and read by RFC 9562 their time is in another year.
# Expected: version 7 as RFC 9562 has it: 48 bits of milliseconds first.
# Source: uuid_extensions/uuid7.py, its first lines name the draft; RFC 9562, section 5.7
# Here: nothing: no id of version 7 is made

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check uuid7==0.1.0 uuid6==2025.0.1 uuid_utils==1.2.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime as dt, sys
from importlib.metadata import version

import uuid6, uuid_extensions, uuid_utils

makers = {"uuid6": uuid6.uuid7, "uuid_utils": uuid_utils.uuid7, "uuid7": uuid_extensions.uuid7}
years = {}
for name, make in makers.items():
    text = str(make())
    at = dt.datetime.fromtimestamp(int(text.replace("-", "")[:12], 16) / 1000, dt.timezone.utc)
    years[name] = at.year
    print(f"{name} {version(name)}: {text}, version {text[14]}, by RFC 9562 of {at:%Y-%m-%d}")
print("So rows of two services don't come in the order in which they were made, though both say version 7.")
now = dt.datetime.now(dt.timezone.utc).year
sys.exit(0 if years["uuid6"] == years["uuid_utils"] == now and years["uuid7"] > now + 100 else 1)
PYTHON
