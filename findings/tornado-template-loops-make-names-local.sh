#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a template whose loop variable has the name of a value that is given to it raises UnboundLocalError where the value is used before the loop, even when the loop has no rows.
# Expected: inside the loop the inner name, before it the value that was given, as in Jinja2.
# Source: tornado.template: a template is compiled to one Python function
# Here: workers/overnight_workers/flower_tab: names in templates

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tornado==6.6.1 || exit 2

"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import jinja2
import tornado
from tornado.template import Template

print(f"tornado {tornado.version}, jinja2 {jinja2.__version__}")
text = "{{ name }}:{% for name in names %} {{ name }}{% END %}"
seen = []
for names in (["a", "b"], []):
    values = {"name": "lane", "names": names}
    print(f"Jinja2: {jinja2.Template(text.replace('END', 'endfor')).render(values)!r}")
    try:
        seen.append(Template(text.replace("END", "end")).generate(**values))
    except UnboundLocalError as error:
        seen.append("UnboundLocalError")
        print(f"Tornado: {type(error).__name__}: {error}")
print("So a page that works stops working when a row further down is given a name from the top.")
sys.exit(0 if seen == ["UnboundLocalError"] * 2 else 1)
PYTHON
