#!/usr/bin/env bash
set -euo pipefail
# Behaviour: unique drops "m" when "M" came before, and groupby puts both under the name that came first; sort mixes them; equality in the same template tells them apart.
# Expected: values that are not equal stay apart, as with set() and itertools.groupby.
# Source: Jinja documentation: unique, groupby, sort: case_sensitive=false
# Here: nothing in templates of ours; a prompt that lists sizes or codes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from jinja2 import Environment

sizes = ["M", "m", "L"]
asked = {
    "unique": "{{ sizes|unique|join(' ') }}",
    "groupby": "{% for size, rows in rows|groupby('size') %}{{ size }}:{{ rows|length }} {% endfor %}",
    "==": "{{ 'M' == 'm' }}",
    "unique(true)": "{{ sizes|unique(true)|join(' ') }}",
}
print(f"Jinja2 {version('jinja2')}")
values = {"sizes": sizes, "rows": [{"size": size} for size in sizes]}
seen = {name: Environment().from_string(text).render(values).strip() for name, text in asked.items()}
for name, text in seen.items():
    print(f"{name}: {text}")
print("So codes that differ in case, millimetres and megametres, become one in a list for the model.")
sys.exit(0 if seen == {"unique": "M L", "groupby": "L:1 M:2", "==": "False", "unique(true)": "M m L"} else 1)
PYTHON
