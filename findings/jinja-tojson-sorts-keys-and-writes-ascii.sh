#!/usr/bin/env bash
set -euo pipefail
# Behaviour: Jinja's tojson sorts the keys of objects and writes every letter outside ASCII as an escape of six bytes.
# Expected: the object as it is, in UTF-8; only the signs of HTML escaped, as its documentation says.
# Source: jinja2/defaults.py: policies, json.dumps_kwargs is {"sort_keys": True}; json.dumps: ensure_ascii
# Here: workers/overnight_workers/catalogs/prompt.py: tojson is our own there

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys
from importlib.metadata import version

import jinja2

print(f"jinja2 {version('jinja2')}")
row = {"title": "电热水壶", "marke": "Größe L", "id": 7}
environment = jinja2.Environment()
as_it_is = json.dumps(row, ensure_ascii=False)
seen = environment.from_string("{{ row|tojson }}").render(row=row)
print(f"as it is: {as_it_is} ({len(as_it_is.encode())} bytes)")
print(f"tojson:   {seen} ({len(seen.encode())} bytes)")
environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "ensure_ascii": False}
asked = environment.from_string("{{ row|tojson }}").render(row=row)
print(f"with the policy json.dumps_kwargs: {asked}")
print("So a prompt of Chinese rows is longer and dearer, and a column that is renamed moves the others.")
sys.exit(0 if list(json.loads(seen)) == sorted(row) and seen.isascii() and asked == as_it_is else 1)
PYTHON
