#!/usr/bin/env bash
set -euo pipefail
# Behaviour: DBOS gives the first result again when a workflow is called with an id that was used before and other arguments; and a workflow that failed isn't run again under its id, its error is raised anew.
# Expected: an error for other arguments, as for another function; a second try after an error.
# Source: DBOS' documentation: workflow ids and idempotency
# Here: workers/overnight_workers/stages/accept/accept.py: a key that comes again with another request is a conflict

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dbos==3.4.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from dbos import DBOS, SetWorkflowID

print(f"dbos {version('dbos')}")
DBOS(config={"name": "finding", "system_database_url": "sqlite:///dbos.sqlite", "run_admin_server": False, "log_level": "CRITICAL"})
ran = []


@DBOS.workflow()
def describe(sku: str) -> str:
    ran.append(sku)
    if sku == "unknown":
        raise LookupError(sku)
    return f"a text of {sku}"


DBOS.launch()
seen = []
for key, sku in (("1", "a"), ("1", "b"), ("2", "unknown"), ("2", "c")):
    with SetWorkflowID(key):
        try:
            seen.append(describe(sku))
        except LookupError as error:
            seen.append(f"LookupError: {error}")
    print(f"id {key}, sku {sku}: {seen[-1]}")
DBOS.destroy()
print(f"ran: {ran}")
print("So a key that is used twice by mistake brings another product's text.")
sys.exit(0 if seen == ["a text of a"] * 2 + ["LookupError: unknown"] * 2 and ran == ["a", "unknown"] else 1)
PYTHON
