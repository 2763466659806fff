#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with StrictUndefined, {{ [row.nothing] }} and {{ rows | map(attribute='name') | list }} print [Undefined]; alone, or through join, the same value raises.
# Expected: strict means that nothing that is missing gets into a text.
# Source: jinja2/runtime.py: StrictUndefined raises in __str__, __iter__, __eq__ and their like; a list asks its parts for __repr__
# Here: workers/overnight_workers/catalogs/texts.py: a list becomes JSON, and what is missing in it raises

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import sys
from importlib.metadata import version

from jinja2 import StrictUndefined, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

rows = [{"name": "x"}, {}]
environment = SandboxedEnvironment(undefined=StrictUndefined)
print(f"jinja2 {version('jinja2')}")
seen = []
for template in (
    "{{ rows[1].name }}",
    "{{ rows | map(attribute='name') | join(', ') }}",
    "{{ rows | map(attribute='name') | list }}",
    "{{ {'name': rows[1].name} }}",
    "names: {{ 'a' ~ [rows[1].name] }}",
):
    try:
        seen.append(environment.from_string(template).render(rows=rows))
    except UndefinedError as error:
        seen.append("raises")
        print(f"  {error}")
    print(f"{template}  ->  {seen[-1]}")
print("So a prompt made of a list can hold the word Undefined, and nobody is told.")
sys.exit(0 if seen == ["raises", "raises", "['x', Undefined]", "{'name': Undefined}", "names: a[Undefined]"] else 1)
PYTHON
