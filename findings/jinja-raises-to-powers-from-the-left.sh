#!/usr/bin/env bash
set -euo pipefail
# Behaviour: `2 ** 3 ** 2` is 64 in a template, and `-2 ** 2` is 4: powers are taken from the left, and a sign goes before them.
# Expected: 512 and -4, as in Python, whose expressions Jinja's are said to resemble.
# Source: jinja2/parser.py: parse_pow loops and parses unary signs within; the page Template Designer, Math
# Here: workers/overnight_workers/catalogs/prompt.py: what is reckoned in a prompt needs parentheses

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check jinja2==3.1.6 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from jinja2 import Environment

print(f"Jinja2 {version('jinja2')}")
seen = {}
for text in ("2 ** 3 ** 2", "-2 ** 2", "2 ** (3 ** 2)"):
    seen[text] = int(Environment().from_string("{{ " + text + " }}").render()), eval(text)
    print(f"{text}: Jinja {seen[text][0]}, Python {seen[text][1]}")
print("So a formula that was tried in Python is another one in a prompt.")
sys.exit(0 if [pair[0] == pair[1] for pair in seen.values()] == [False, False, True] and seen["2 ** 3 ** 2"][0] == 64 else 1)
PYTHON
