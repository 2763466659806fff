#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with StrictUndefined in the sandbox, "1,299"|float is 0.0 and "none yet"|int is 0; None|int is 0 too.
# Expected: an error, as {{ missing }} is one in a strict environment, and as abs and round raise.
# Source: Jinja documentation: List of Builtin Filters, int and float: a default of 0
# Here: workers/overnight_workers/catalogs/prompt.py: both are strict there

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
print(f"Jinja2 {version('jinja2')}, StrictUndefined")
seen = []
for value, name in (("1,299", "float"), ("12,5", "float"), ("none yet", "int"), (None, "int")):
    seen.append(environment.from_string(f"{{{{ value|{name} }}}}").render(value=value))
    print(f"{value!r}|{name}: {seen[-1]}")
try:
    environment.from_string("{{ value|abs }}").render(value="none yet")
    other = "no error"
except TypeError as error:
    other = "TypeError"
print(f"'none yet'|abs: {other}")
print("So a prompt says that a thing costs 0.0, and the answer about it is paid.")
sys.exit(0 if seen == ["0.0", "0.0", "0", "0"] and other == "TypeError" else 1)
PYTHON
